"""obp 0.5.7 on Python 3.11: it imports torch and pyieoe, which its estimators don't use; empty modules stand in for them."""

import sys
import types

import numpy
import pandas  # noqa: F401  (before the stand-ins: these look for torch themselves)
import scipy.stats  # noqa: F401
import sklearn.ensemble  # noqa: F401
import sklearn.linear_model  # noqa: F401
import sklearn.model_selection  # noqa: F401

NAMES = ["torch", "torch.nn", "torch.nn.functional", "torch.optim", "torch.utils", "torch.utils.data", "pyieoe", "pyieoe.evaluator"]


class _Anything(types.ModuleType):
    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


for _name in NAMES:
    sys.modules[_name] = _Anything(_name)
    _parent, _, _child = _name.rpartition(".")
    if _parent:
        setattr(sys.modules[_parent], _child, sys.modules[_name])
for _name, _kind in [("int", int), ("float", float), ("bool", bool), ("object", object)]:
    if _name not in numpy.__dict__:
        setattr(numpy, _name, _kind)

import obp  # noqa: E402
import obp.dataset  # noqa: E402
import obp.ope  # noqa: E402
import obp.policy  # noqa: E402

for _name in NAMES:
    del sys.modules[_name]

assert obp.__version__ == "0.5.7", obp.__version__
