"""Writes fixed data and what scikit-uplift 0.5.1 says about it: the expected values of our tests.

    python sklift_cases.py > ../../../crates/evaluation/src/uplift/sklift_cases.json
"""

import json
import warnings

warnings.filterwarnings("ignore")

import numpy as np
from sklift.metrics import qini_auc_score, uplift_at_k, uplift_auc_score


def defined(measure):
    """None where sklift gives NaN, or fails: negative_effect=False with a harmful treatment."""
    try:
        value = float(measure())
    except ValueError:
        return None
    return value if np.isfinite(value) else None


def case(name, y, score, treated):
    y, score, treated = np.asarray(y, int), np.asarray(score, float), np.asarray(treated, int)
    at = lambda strategy, k: defined(lambda: uplift_at_k(y, score, treated, strategy=strategy, k=k))
    return {
        "name": name, "y": y.tolist(), "score": score.tolist(), "treated": treated.tolist(),
        "qini": defined(lambda: qini_auc_score(y, score, treated, negative_effect=True)),
        "qini_no_negative": defined(lambda: qini_auc_score(y, score, treated, negative_effect=False)),
        "auuc": defined(lambda: uplift_auc_score(y, score, treated)),
        "at_30_overall": at("overall", 0.3), "at_30_by_group": at("by_group", 0.3),
        "at_10_overall": at("overall", 0.1), "at_10_by_group": at("by_group", 0.1),
    }


def main():
    rng = np.random.default_rng(20190101)

    def draw(n, share, decimals, control_rate=0.3, effect=0.3):
        x = rng.uniform(size=n)
        treated = rng.uniform(size=n) < share
        y = rng.uniform(size=n) < control_rate + effect * (x - 0.3) * treated
        return y, np.round(x + 0.3 * rng.normal(size=n), decimals), treated

    cases = [
        case("no ties", *draw(200, 0.5, 12)),
        case("many ties", *draw(200, 0.5, 1)),
        case("few treated", *draw(150, 0.2, 2)),
        case("few controls", *draw(150, 0.85, 2)),
        # More control responders than treated who don't respond: sklift's perfect curve takes its other branch.
        case("many control responders", *draw(120, 0.3, 1, control_rate=0.8, effect=0.1)),
        case("hurtful", *draw(200, 0.5, 2, control_rate=0.5, effect=-0.6)),
    ]
    print(json.dumps(cases))


if __name__ == "__main__":
    main()
