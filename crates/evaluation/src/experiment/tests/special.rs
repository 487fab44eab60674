//! Distribution functions against scipy 1.17.1, but for ln B(10⁶, ½), which is ln Γ(½) − ½ ln 10⁶ + 1/(8·10⁶): scipy is off in
//! the tenth digit there.

use super::super::special::*;

#[test]
fn functions_are_those_of_scipy() {
    let cases: &[(&str, &[f64], f64)] = &[
        ("normal_cdf", &[-8.2], 1.2019351542735735e-16),
        ("normal_cdf", &[-3.0], 0.0013498980316300933),
        ("normal_cdf", &[-1.96], 0.024997895148220435),
        ("normal_cdf", &[0.0], 0.5),
        ("normal_cdf", &[0.3], 0.6179114221889526),
        ("normal_cdf", &[1.5], 0.9331927987311419),
        ("normal_cdf", &[6.1], 0.9999999994696577),
        ("normal_quantile", &[1e-300], -37.0470962993612),
        ("normal_quantile", &[1e-20], -9.262340089798409),
        ("normal_quantile", &[1e-06], -4.753424308822899),
        ("normal_quantile", &[0.025], -1.9599639845400545),
        ("normal_quantile", &[0.3], -0.5244005127080409),
        ("normal_quantile", &[0.5], 0.0),
        ("normal_quantile", &[0.77], 0.7388468491852137),
        ("normal_quantile", &[0.975], 1.959963984540054),
        ("normal_quantile", &[0.999999999], 5.997807019601637),
        ("t_sf", &[0.001, 1.0], 0.49968169021990794),
        ("t_sf", &[1.3, 2.5], 0.15024339463535416),
        ("t_sf", &[2.1, 7.0], 0.036935598106461326),
        ("t_sf", &[12.0, 30.7], 2.0015129141800562e-13),
        ("t_sf", &[1.959, 10000.0], 0.025070267225049615),
        ("t_sf", &[5.0, 123456.7], 2.870431664027064e-07),
        ("t_sf", &[30.0, 100000.0], 3.68926843611138e-197),
        ("t_sf", &[2.2, 30000000.0], 0.013903451311645146),
        ("t_sf", &[8.0, 4.0], 0.0006619484546085836),
        ("t_sf", &[0.01, 1000000.0], 0.4960106446827738),
        ("t_upper_quantile", &[0.025, 1.0], 12.706204736174705),
        ("t_upper_quantile", &[0.025, 2.2], 3.948720749712724),
        ("t_upper_quantile", &[0.05, 5.0], 2.015048373333024),
        ("t_upper_quantile", &[0.01, 88.8], 2.3690769946216665),
        ("t_upper_quantile", &[1e-08, 12.0], 12.98409809086107),
        ("t_upper_quantile", &[0.025, 20117.4], 1.9600819128776117),
        ("t_upper_quantile", &[0.4, 3.0], 0.2766706623326898),
        ("t_upper_quantile", &[0.005, 10000000.0], 2.575829795203749),
        ("t_upper_quantile", &[0.9, 6.0], -1.4397557472651483),
        ("chi2_sf", &[0.1, 1.0], 0.7518296340458492),
        ("chi2_sf", &[3.84, 1.0], 0.05004352124870519),
        ("chi2_sf", &[11.07, 5.0], 0.050009618622405425),
        ("chi2_sf", &[200.0, 10.0], 1.6139305336977317e-37),
        ("chi2_sf", &[0.001, 2.0], 0.9995001249791693),
        ("chi2_sf", &[1050.0, 1000.0], 0.13247405682147703),
        ("digamma", &[0.1], -10.423754940411076),
        ("trigamma", &[0.1], 101.43329915079275),
        ("digamma", &[1.0], -0.5772156649015329),
        ("trigamma", &[1.0], 1.6449340668482266),
        ("digamma", &[3.3], 1.0348224890596216),
        ("trigamma", &[3.3], 0.3535015418410618),
        ("digamma", &[12.0], 2.4426616799758123),
        ("trigamma", &[12.0], 0.0869018728717684),
        ("digamma", &[10000.0], 9.21029037114285),
        ("trigamma", &[10000.0], 0.00010000500016666666),
        ("noncentral_t_cdf", &[1.96, 10.0, 0.5], 0.902753381690013),
        ("noncentral_t_cdf", &[2.2, 25.5, 2.8], 0.27606854223720334),
        ("noncentral_t_cdf", &[-1.96, 1998.0, 2.8], 9.80169564786075e-07),
        ("noncentral_t_cdf", &[1.96, 1998.0, 2.8], 0.20049857328276785),
        ("noncentral_t_cdf", &[1.96, 199998.0, 3.1], 0.1271437805448872),
        ("noncentral_t_cdf", &[1.6, 3.0, 1.0], 0.6526366443941848),
        ("noncentral_t_cdf", &[2.0, 6.0, -1.5], 0.9987714108100196),
        ("noncentral_t_cdf", &[1.9602, 3900000.0, 2.8], 0.20051028949846533),
        ("ln_beta", &[0.5, 0.5], 1.1447298858494),
        ("ln_beta", &[3.0, 4.0], -4.0943445622221),
        ("ln_beta", &[1000000.0, 0.5], -6.335390211057437),
        ("ln_beta", &[100000.0, 200000.0], -190958.8852791167),
        ("ln_beta", &[12.0, 0.3], 0.35912243359971796),
        ("ln_beta", &[50000000.0, 0.5], -8.29140183627151),
    ];
    let mut wrong = Vec::new();
    for &(name, arguments, expected) in cases {
        let (a, b) = (arguments[0], *arguments.get(1).unwrap_or(&0.0));
        let c = *arguments.get(2).unwrap_or(&0.0);
        let found = match name {
            "normal_cdf" => normal_cdf(a),
            "normal_quantile" => -normal_upper_quantile(a),
            "t_sf" => t_sf(a, b),
            "t_upper_quantile" => t_upper_quantile(a, b),
            "chi2_sf" => chi2_sf(a, b),
            "digamma" => digamma(a),
            "trigamma" => trigamma(a),
            "noncentral_t_cdf" => noncentral_t_cdf(a, b, c),
            _ => ln_beta(a, b),
        };
        let apart = (found - expected).abs() / expected.abs().max(1e-300);
        let tolerance = if name == "noncentral_t_cdf" { 1e-9 } else { 1e-12 };
        if apart >= tolerance && (found - expected).abs() > 1e-17 * f64::from(u8::from(expected == 0.0)) {
            wrong.push(format!("{name}{arguments:?}: {found:e}, scipy says {expected:e}, {apart:e}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
