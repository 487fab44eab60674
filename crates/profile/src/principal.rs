//! The two directions in which embeddings differ most: principal components by power iteration.

/// Each embedding's coordinates on the first two principal components, scaled to variance 1 over
/// `fit`. The components come from `fit` alone, so that others can be placed on the same axes.
pub fn principal_coordinates(fit: &[Vec<f32>], embeddings: &[Vec<f32>]) -> Vec<[f64; 2]> {
    let Some(width) = fit.first().map(Vec::len).filter(|width| *width > 0) else {
        return vec![[0.0; 2]; embeddings.len()];
    };
    let size = fit.len() as f64;
    let mean: Vec<f64> = (0..width).map(|column| fit.iter().map(|row| f64::from(row[column])).sum::<f64>() / size).collect();
    let centered: Vec<Vec<f64>> = fit.iter().map(|row| row.iter().zip(&mean).map(|(x, mean)| f64::from(*x) - mean).collect()).collect();
    let mut covariance = vec![vec![0.0; width]; width];
    for row in &centered {
        for (one, line) in row.iter().zip(&mut covariance) {
            line.iter_mut().zip(row).for_each(|(cell, two)| *cell += one * two / size);
        }
    }
    let mut axes: Vec<(Vec<f64>, f64)> = Vec::new();
    for _ in 0..2 {
        let (axis, variance) = leading(&covariance);
        for (one, line) in axis.iter().zip(&mut covariance) {
            line.iter_mut().zip(&axis).for_each(|(cell, two)| *cell -= variance * one * two);
        }
        axes.push((axis, variance));
    }
    let place = |row: &Vec<f32>, (axis, variance): &(Vec<f64>, f64)| {
        let along: f64 = row.iter().zip(&mean).zip(axis).map(|((x, mean), axis)| (f64::from(*x) - mean) * axis).sum();
        if *variance > 1e-12 { along / variance.sqrt() } else { 0.0 }
    };
    embeddings.iter().map(|row| [place(row, &axes[0]), place(row, &axes[1])]).collect()
}

/// The eigenvector of the largest eigenvalue; its sign is that of its largest entry.
fn leading(matrix: &[Vec<f64>]) -> (Vec<f64>, f64) {
    let width = matrix.len();
    let mut vector: Vec<f64> = (0..width).map(|place| 1.0 + place as f64 / width as f64).collect();
    let mut value = 0.0;
    for _ in 0..200 {
        let next: Vec<f64> = matrix.iter().map(|line| line.iter().zip(&vector).map(|(a, b)| a * b).sum()).collect();
        value = next.iter().map(|x| x * x).sum::<f64>().sqrt();
        if value < 1e-15 {
            return (vec![0.0; width], 0.0);
        }
        vector = next.iter().map(|x| x / value).collect();
    }
    let largest = vector.iter().copied().max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap_or(1.0);
    vector.iter_mut().for_each(|x| *x *= largest.signum());
    (vector, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_long_axis() {
        let cloud: Vec<Vec<f32>> =
            (0..100_u8).map(|place| (f32::from(place) - 49.5, f32::from(place % 2) - 0.5)).map(|(x, y)| vec![x, y, x]).collect();
        let coordinates = principal_coordinates(&cloud, &cloud);
        let variance: f64 = coordinates.iter().map(|c| c[0] * c[0]).sum::<f64>() / 100.0;
        assert!((variance - 1.0).abs() < 1e-9);
        assert!(coordinates[99][0] > 1.5 && coordinates[0][0] < -1.5);
        assert_eq!(principal_coordinates(&[], &cloud)[0], [0.0; 2]);
    }
}
