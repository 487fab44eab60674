//! Products, and the catalogue that numbers them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A product's place in its catalogue.
pub type ProductIx = u32;

/// One thing that is sold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// The shop's own identifier (SKU).
    pub product_id: String,
    /// What a shopper reads.
    pub name: String,
    /// Category path from wide to narrow; `category[0]` is what affinities and sequences use.
    /// Empty where the source has none.
    pub category: Vec<String>,
    /// Brand, or empty.
    pub brand: String,
    /// List price in minor units, where known.
    pub price: Option<i64>,
    /// Cost of goods in minor units, where known.
    pub cost: Option<i64>,
    /// Units on hand, where known.
    pub stock: Option<i64>,
}

/// The products of a shop, numbered in order of `product_id`, and their categories, numbered in
/// order of name. Number 0 of the categories is "no category".
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    products: Vec<Product>,
    by_id: BTreeMap<String, ProductIx>,
    categories: Vec<String>,
    brands: Vec<String>,
    category_of: Vec<u32>,
    brand_of: Vec<u32>,
}

impl Catalogue {
    /// Numbers `products`; the last of two with one id wins.
    pub fn new(products: impl IntoIterator<Item = Product>) -> Self {
        let unique: BTreeMap<String, Product> = products.into_iter().map(|product| (product.product_id.clone(), product)).collect();
        let products: Vec<Product> = unique.into_values().collect();
        let category_name = |product: &Product| product.category.first().cloned().unwrap_or_default();
        let categories = numbered(products.iter().map(category_name));
        let brands = numbered(products.iter().map(|product| product.brand.clone()));
        let place = |names: &[String], name: &String| names.binary_search(name).map_or(0, index);
        let category_of = products.iter().map(|product| place(&categories, &category_name(product))).collect();
        let brand_of = products.iter().map(|product| place(&brands, &product.brand)).collect();
        let by_id = products.iter().enumerate().map(|(ix, product)| (product.product_id.clone(), index(ix))).collect();
        Self { products, by_id, categories, brands, category_of, brand_of }
    }

    /// All products, in the order of their numbers.
    pub fn products(&self) -> &[Product] {
        &self.products
    }

    /// The number of `product_id`.
    pub fn find(&self, product_id: &str) -> Option<ProductIx> {
        self.by_id.get(product_id).copied()
    }

    /// The product with that number.
    pub fn get(&self, product: ProductIx) -> Option<&Product> {
        self.products.get(product as usize)
    }

    /// Names of the categories; `""` is number 0.
    pub fn categories(&self) -> &[String] {
        &self.categories
    }

    /// Names of the brands; `""` is number 0.
    pub fn brands(&self) -> &[String] {
        &self.brands
    }

    /// The widest category of a product, 0 for none.
    pub fn category_of(&self, product: ProductIx) -> u32 {
        self.category_of.get(product as usize).copied().unwrap_or(0)
    }

    /// The brand of a product, 0 for none.
    pub fn brand_of(&self, product: ProductIx) -> u32 {
        self.brand_of.get(product as usize).copied().unwrap_or(0)
    }
}

/// Distinct names in order, with the empty one always first.
fn numbered(names: impl Iterator<Item = String>) -> Vec<String> {
    let set: std::collections::BTreeSet<String> = names.chain([String::new()]).collect();
    set.into_iter().collect()
}

fn index(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn product(id: &str, category: &str) -> Product {
        Product {
            product_id: id.into(),
            name: id.into(),
            category: if category.is_empty() { vec![] } else { vec![category.into()] },
            brand: String::new(),
            price: None,
            cost: None,
            stock: None,
        }
    }

    #[test]
    fn numbers_do_not_depend_on_the_order_of_rows() {
        let one = Catalogue::new([product("b", "tea"), product("a", ""), product("c", "bread")]);
        let two = Catalogue::new([product("c", "bread"), product("b", "tea"), product("a", "")]);
        assert_eq!(one.products(), two.products());
        assert_eq!(one.categories(), ["", "bread", "tea"]);
        assert_eq!(one.category_of(one.find("b").unwrap()), 2);
        assert_eq!(one.category_of(one.find("a").unwrap()), 0);
    }
}
