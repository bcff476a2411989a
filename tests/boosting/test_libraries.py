"""xentfast.boosting in XGBoost and LightGBM, on scikit-learn's data: the models of the built-in objectives, through every API."""

import functools
import inspect
import pickle
from typing import NamedTuple

import numpy as np
import pytest
from sklearn import datasets
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from tolerances import BOOSTED, TRAINED

import xentfast as xf
from xentfast.boosting import SigmoidMetric, SigmoidObjective, SoftmaxMetric, SoftmaxObjective

pytestmark = pytest.mark.extras

LOADERS = {"digits": datasets.load_digits, "iris": datasets.load_iris, "wine": datasets.load_wine,
           "breast cancer": datasets.load_breast_cancer}
LIBRARIES = ["xgboost", "lightgbm"]
MULTICLASS = ["digits", "iris", "wine"]
# Of a leaf: no sum of Hessians at the start is so near to it that a rounding could decide.
LEAST_HESSIAN = 0.017


class Problem(NamedTuple):
    x: np.ndarray
    labels: np.ndarray
    weights: np.ndarray
    margins: np.ndarray         # to start from

    @property
    def n_classes(self):
        return 1 if self.margins.ndim == 1 else self.margins.shape[1]


@functools.cache
def problem(name):
    """At most 600 rows. Weights are quarters, which float32 holds."""
    rng = np.random.default_rng(0)
    x, labels = LOADERS[name](return_X_y=True)
    chosen = rng.permutation(len(labels))[:600]
    n_classes = labels.max() + 1
    shape = (len(chosen), n_classes) if n_classes > 2 else len(chosen)
    return Problem(x[chosen], labels[chosen], rng.integers(1, 9, len(chosen)) / 4, rng.standard_normal(shape))


def num_class(given):
    return {} if given.n_classes == 1 else {"num_class": given.n_classes}


class Library:
    """One call for both: margins after training, from a start, by one's own objective or a built-in one."""

    def __init__(self, name):
        self.name, self.module = name, pytest.importorskip(name)

    def data(self, given, weighted, start):
        weights = given.weights if weighted else None
        margins = given.margins if start == "given" else np.zeros_like(given.margins)
        if self.name == "xgboost":
            return self.module.DMatrix(given.x, label=given.labels, weight=weights, base_margin=margins)
        return self.module.Dataset(given.x, label=given.labels, weight=weights, init_score=margins)

    def train(self, given, objective, rounds=1, weighted=False, start="given", **options):
        data = self.data(given, weighted, start)
        options = {"max_depth": 4, "min_child_weight": LEAST_HESSIAN} | num_class(given) | options
        if self.name == "xgboost":
            own = {"obj": objective} if callable(objective) else {}
            options |= {"nthread": 1} | ({} if own else {"objective": objective})
            return self.module.train(options, data, rounds, **own).predict(data, output_margin=True)
        options |= {"num_threads": 1, "verbose": -1, "min_data_in_leaf": 1, "objective": objective}
        trained = self.module.train(options, data, rounds).predict(given.x, raw_score=True)
        return trained + (given.margins if start == "given" else 0)


@pytest.fixture(params=LIBRARIES)
def library(request):
    return Library(request.param)


BUILT_IN = {("xgboost", False): "multi:softprob", ("lightgbm", False): "multiclass", ("xgboost", True): "binary:logistic",
            ("lightgbm", True): "binary"}


def pair(library, name, pos_weight=1.0):
    """(ours, the built-in objective's name, its options)."""
    if name in MULTICLASS:
        return SoftmaxObjective(library), BUILT_IN[library, False], {}
    return SigmoidObjective(pos_weight=pos_weight), BUILT_IN[library, True], {"scale_pos_weight": pos_weight}


def near(ours, theirs, library):
    return ours.shape == theirs.shape and np.abs(ours - theirs).max() <= BOOSTED[library] * np.abs(theirs).max()


@pytest.mark.parametrize("regularised", [0.0, 1.0])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", LOADERS)
def test_one_round_from_the_same_margins_is_the_built_in_objectives(library, name, weighted, regularised):
    """A leaf is −Σg/(Σh + λ): with two λ, gradients and Hessians have both to be those of the library."""
    given = problem(name)
    ours, built_in, options = pair(library.name, name, pos_weight=3.0)
    trees = [library.train(given, objective, weighted=weighted, **more, reg_lambda=regularised)
             for objective, more in ((ours, {}), (built_in, options))]
    assert near(*trees, library.name)
    assert np.abs(trees[0] - given.margins).max() > 0.1


@pytest.mark.parametrize("name", MULTICLASS)
def test_another_convention_is_another_model(library, name):
    given = problem(name)
    theirs = library.train(given, BUILT_IN[library.name, False])
    assert not near(library.train(given, SoftmaxObjective("diagonal")), theirs, library.name)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", LOADERS)
def test_trained_metric_is_the_built_in_objectives(library, name, weighted):
    given = problem(name)
    ours, built_in, _ = pair(library.name, name)
    loss = xf.sigmoid_cross_entropy if name == "breast cancer" else xf.softmax_cross_entropy
    values = [loss(library.train(given, objective, 20, weighted, "zero"), given.labels) for objective in (ours, built_in)]
    assert abs(values[0] - values[1]) < TRAINED and values[0] < 0.2


# ---- scikit-learn's classes


def classifier(library, objective, **options):
    """From equal scores; of one round, since later ones may have gains that are equal but for rounding."""
    options = {"objective": objective, "n_estimators": 1, "n_jobs": 1, "min_child_weight": LEAST_HESSIAN} | options
    if library.name == "xgboost":
        return library.module.XGBClassifier(base_score=0.5, **options)
    return library.module.LGBMClassifier(verbose=-1, boost_from_average=False, **options)


def margins_of(library, model, x):
    return model.predict(x, output_margin=True) if library.name == "xgboost" else model.predict(x, raw_score=True)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", MULTICLASS)
def test_classifier_is_the_built_in_objectives(library, name, weighted):
    given = problem(name)
    weights = given.weights if weighted else None
    ours, built_in, _ = pair(library.name, name)
    found = [margins_of(library, classifier(library, objective).fit(given.x, given.labels, sample_weight=weights), given.x)
             for objective in (ours, built_in)]
    assert near(*found, library.name)


def test_classifier_of_two_classes_is_the_built_in_objectives(library):
    given = problem("breast cancer")
    models = [classifier(library, objective).fit(given.x, given.labels) for objective in pair(library.name, "breast cancer")[:2]]
    assert near(*(margins_of(library, model, given.x) for model in models), library.name)
    if library.name == "xgboost":                       # which keeps its own objective for this
        assert near(*(model.predict_proba(given.x) for model in models), "xgboost")


@pytest.mark.parametrize("name", ["wine", "breast cancer"])
def test_xgboost_predicts_probabilities_where_the_built_in_objective_is_named_as_well(name):
    library = Library("xgboost")
    given = problem(name)
    ours, built_in, _ = pair("xgboost", name)
    data, options = library.data(given, False, "given"), {"nthread": 1, "objective": built_in, "base_score": 0.5}
    models = [library.module.train(options | num_class(given), data, 1, **own) for own in ({"obj": ours}, {})]
    assert near(*(model.predict(data) for model in models), "xgboost")
    assert near(*(model.predict(library.module.DMatrix(given.x)) for model in models), "xgboost")


def test_grid_search_clone_and_pickle(library):
    given = problem("wine")
    model = classifier(library, SoftmaxObjective(library.name, label_smoothing=0.05), n_estimators=8)
    search = GridSearchCV(clone(model), {"learning_rate": [0.1, 0.5]}, cv=2, scoring=lambda model, x, y:
                          -xf.softmax_cross_entropy(margins_of(library, model, x), y))
    best = search.fit(given.x, given.labels).best_estimator_
    assert search.best_score_ > -0.6
    assert (margins_of(library, pickle.loads(pickle.dumps(best)), given.x) == margins_of(library, best, given.x)).all()


# ---- metrics


def curves(library, given, objective, metric, weighted):
    """{metric: its values after each round}: of our own, or of the built-in objective's log-loss where `metric` is None."""
    data, found = library.data(given, weighted, "zero"), {}
    options = {"max_depth": 3} | num_class(given)
    if library.name == "xgboost":
        own = {"obj": objective, "custom_metric": metric} if metric else {}
        options |= {"nthread": 1} | ({"disable_default_eval_metric": True} if metric else {"objective": objective})
        library.module.train(options, data, 6, evals=[(data, "train")], evals_result=found, verbose_eval=False, **own)
    else:
        options |= {"num_threads": 1, "verbose": -1, "objective": objective}
        library.module.train(options, data, 6, valid_sets=[data], valid_names=["train"], feval=metric,
                             callbacks=[library.module.record_evaluation(found)])
    return found["train"]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", LOADERS)
def test_metric_is_the_built_in_log_loss(library, name, weighted):
    given = problem(name)
    ours, built_in, _ = pair(library.name, name)
    metric = (SigmoidMetric if name == "breast cancer" else SoftmaxMetric)(library.name)
    found = curves(library, given, ours, metric, weighted)
    assert list(found) == [metric.__name__]
    built_in_metric = {"multi:softprob": "mlogloss", "multiclass": "multi_logloss", "binary:logistic": "logloss",
                       "binary": "binary_logloss"}[built_in]
    theirs = curves(library, given, built_in, None, weighted)[built_in_metric]
    assert np.allclose(found[metric.__name__], theirs, rtol=BOOSTED[library.name] * 100) and theirs[-1] < theirs[0]


def test_classifier_metric_and_early_stopping(library):
    given = problem("digits")
    half = len(given.labels) // 2
    held_out = (given.x[half:], given.labels[half:])
    metric = SoftmaxMetric(library.name, name="held_out")
    model = classifier(library, SoftmaxObjective(library.name), learning_rate=1.0, n_estimators=200)
    if library.name == "xgboost":
        model.set_params(eval_metric=metric, early_stopping_rounds=3)
        model.fit(given.x[:half], given.labels[:half], eval_set=[held_out], verbose=False)
        values = model.evals_result()["validation_0"]["held_out"]
        best = model.best_iteration
    else:
        # LightGBM 4.7 renamed the argument; both names, one of them with a warning, are not for every release.
        new = "eval_X" in inspect.signature(model.fit).parameters
        model.fit(given.x[:half], given.labels[:half], eval_metric=metric,
                  callbacks=[library.module.early_stopping(3, verbose=False)],
                  **{"eval_X": held_out[0], "eval_y": held_out[1]} if new else {"eval_set": [held_out]})
        values = model.evals_result_["valid_0"]["held_out"]
        best = model.best_iteration_ - 1
    assert len(values) < 200 and np.argmin(values) == best
    margins = margins_of(library, model, held_out[0])
    assert xf.softmax_cross_entropy(margins, held_out[1]) == pytest.approx(values[best], rel=BOOSTED[library.name])


# ---- what the libraries have not


def test_soft_labels(library):
    """As labels of XGBoost, as rows of a table in both: teacher's probabilities are learnt."""
    given = problem("wine")
    noise = np.random.default_rng(1).standard_normal((len(given.labels), 3), np.float32) / 3
    soft = xf.softmax(2 * np.eye(3, dtype=np.float32)[given.labels] + noise, axis=1)
    by_number = given._replace(labels=np.arange(len(soft)))
    options = {"max_depth": 6, "start": "zero", "rounds": 40}
    margins = library.train(by_number, SoftmaxObjective(library.name, soft_labels=soft), **options)
    assert np.abs(xf.softmax(margins, axis=1) - soft).max() < 0.25
    if library.name == "xgboost":
        data = library.module.DMatrix(given.x, label=soft, base_margin=np.zeros_like(soft))
        trained = library.module.train({"max_depth": 6, "min_child_weight": LEAST_HESSIAN, "nthread": 1}, data, 40,
                                       obj=SoftmaxObjective("xgboost"))
        assert near(trained.predict(data, output_margin=True), margins, "xgboost")


def test_focal_loss_from_the_prior(library):
    """The rare class starts where the focal loss is concave; training lowers its mean all the same."""
    given = problem("breast cancer")
    rare = (given.labels == 0) & (np.arange(len(given.labels)) % 30 == 0)
    kept = np.flatnonzero((given.labels == 1) | rare)
    start = np.log(rare.sum() / (len(kept) - rare.sum()))
    few = Problem(given.x[kept], rare[kept].astype(int), given.weights[kept], np.full(len(kept), start))
    assert (xf.sigmoid_cross_entropy_grad_hess(few.margins, few.labels, focal_gamma=2.0)[1] < 0).any()
    metric = SigmoidMetric("xgboost", focal_gamma=2.0)
    trained = library.train(few, SigmoidObjective(focal_gamma=2.0), 30)
    assert metric(few.labels, trained) < metric(few.labels, few.margins) / 10


def test_multi_label():
    xgboost = pytest.importorskip("xgboost")
    given = problem("digits")
    labels = np.stack([given.labels % 2, given.labels > 4], axis=1)
    data = xgboost.DMatrix(given.x, label=labels, weight=given.weights)
    options = {"nthread": 1, "max_depth": 4}
    ours = xgboost.train(options | {"base_score": 0.0}, data, 4, obj=SigmoidObjective())
    theirs = xgboost.train(options | {"base_score": 0.5, "objective": "binary:logistic"}, data, 4)
    assert near(*(model.predict(data, output_margin=True) for model in (ours, theirs)), "xgboost")


def test_a_bad_label_stops_training(library):
    given = problem("wine")
    with pytest.raises(IndexError, match="is 2; expected a class from 0 to 1"):
        library.train(given._replace(margins=given.margins[:, :2]), SoftmaxObjective(library.name))
