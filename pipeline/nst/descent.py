"""The walk: descend on an image, under any objective, by any optimizer; never lost, and cut and
taken up again anywhere."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from pipeline.errors import Diverged
from pipeline.nst.optimizers import Optimizer
from pipeline.nst.variables import State, nbytes_of, picture_variable, snapshot


class Evaluate(Protocol):
    """What is descended on."""

    def __call__(self, image: tf.Tensor, /, *arguments: Any) -> tuple[Mapping[str, tf.Tensor], tf.Tensor]:
        """From an image and further tensors (or nests of them) of fixed shapes to scalars by name,
        of which `total` is the loss, and its gradient at the image."""

    def prepare(self, image: tf.Tensor, /, *arguments: Any) -> None:
        """Trace what is not traced yet, for arguments like these."""


# what is left of a loss that was lowered by a thousandth: what `patience` promises
_IMPROVEMENT = 0.999
# A third loss or gradient that is not finite, after two returns to the best picture with half the
# step, is not chance.
_SETBACKS_ALLOWED = 2


class Descent:
    """An optimizer bound to an evaluation; each `start` may bring another evaluation, for pictures
    of another size.

    `best` is the image with the lowest loss seen so far; with `average` above 0 a running mean of
    all is kept too. Where a loss or gradient is not finite, the walk goes back to the best with
    half the step; `setbacks` are the steps at which that happened.
    """

    def __init__(self, evaluate: Evaluate, optimizer: Optimizer, average: float = 0.0) -> None:
        self.evaluate = evaluate
        self.average = average
        self.optimizer = optimizer
        shape = tuple(optimizer.image.read_value().shape)
        self.best = picture_variable(shape, "best")
        self.best_loss = tf.Variable(np.inf, dtype=tf.float32, name="best_loss")
        # Σ (1 - a) a^(n-i) X_i over the n steps of this walk, and a^n: divided by 1 - a^n the mean
        self.sum = picture_variable(shape, "sum") if average else None
        self.left = tf.Variable(1.0, name="left")
        self.setbacks: list[int] = []
        self.flat_at: int | None = None
        """The step at which patience ended."""
        # step and loss of the last improvement that counts for patience
        self._better = (0, math.inf)
        kinds = [tf.TensorSpec([], tf.float32), tf.TensorSpec(optimizer.image.shape, tf.float32)]
        self._on = tf.function(self._moved, input_signature=kinds, autograph=False)
        self._back = tf.function(lambda: optimizer.backtrack(self.best), input_signature=[], autograph=False)
        self._moves = False  # it has been made ready

    def _move(self, loss: tf.Tensor, gradient: tf.Tensor) -> bool:
        """Move on if loss and gradient are finite, else go back; says which."""
        finite = math.isfinite(float(loss)) and bool(tf.reduce_all(tf.math.is_finite(gradient)))
        if finite:
            self._on(loss, gradient)
        else:
            self._back()
        return finite

    def _moved(self, loss: tf.Tensor, gradient: tf.Tensor) -> None:
        tf.cond(loss < self.best_loss, lambda: self._keep(loss), lambda: self.best_loss.read_value())
        self.optimizer.update(gradient)
        if self.sum is not None:
            self.sum.assign(self.average * self.sum + (1 - self.average) * self.optimizer.image)
            self.left.assign(self.average * self.left)

    def _keep(self, loss: tf.Tensor) -> tf.Tensor:
        self.best.assign(self.optimizer.image)
        return self.best_loss.assign(loss)

    @property
    def result(self) -> NDArray[np.float32]:
        """The picture that the walk has come to: the best or, with `average` a, the mean of all
        steps' with weights that shrink by a from the last one back, as style-transfer-pytorch's
        (style_transfer.py, `EMA`, at e7e2c71)."""
        found = self.best if self.sum is None or float(self.left) == 1.0 else self.sum / (1.0 - self.left)
        return np.asarray(found.numpy(), np.float32)

    @property
    def nbytes(self) -> int:
        """Bytes of memory that the walk itself holds."""
        pictures = 1 if self.sum is None else 2
        return self.optimizer.nbytes + pictures * nbytes_of(self.best)

    @contextmanager
    def made_ready(self) -> Iterator[None]:
        """While the block runs, a thread of its own traces a step and has TensorFlow lay it out, as
        far as that needs no targets; nothing where that is done. The walk stands nowhere
        afterwards.

        A step of L-BFGS with 20 pairs takes a second to trace and another to be laid out, which
        TensorFlow does at the first call, without holding up Python. That call finds an infinite
        loss and no slope, and moves nothing that `start` and `restore` do not put right.
        """
        if self._moves:
            yield
            return
        with ThreadPoolExecutor(1, "descent") as beside:
            picture = self.optimizer.image.read_value()
            called = beside.submit(self._on, tf.constant(np.inf), tf.zeros_like(picture))
            yield
            called.result()
            self._moves = True

    def prepare(self, *arguments: Any) -> None:
        """Trace what is not traced yet, for arguments like these."""
        self.evaluate.prepare(self.optimizer.image.read_value(), *arguments)
        self._on.get_concrete_function()

    def start(self, image: tf.Tensor) -> None:
        """Forget every earlier walk and stand at `image`."""
        self.optimizer.restart(image)
        self.best.assign(image)
        self.best_loss.assign(np.inf)
        if self.sum is not None:
            self.sum.assign(tf.zeros_like(image))
            self.left.assign(1.0)
        self.setbacks, self.flat_at, self._better = [], None, (0, math.inf)

    def turn(self, *, elsewhere: bool = False) -> NDArray[np.float32]:
        """Go on under another objective from where the walk stands, with what the optimizer
        remembers, unless that looks `elsewhere` in the picture: the best picture is the best from
        now on. Gives the picture (height, width, 3)."""
        self.optimizer.turn(elsewhere=elsewhere)
        self.best.assign(self.optimizer.image)
        self.best_loss.assign(np.inf)
        return np.asarray(self.optimizer.image.numpy(), np.float32)

    def is_flat(self, after: int, patience: int) -> bool:
        """Has `patience` ended the walk after so many evaluations? To be asked before a `turn` too,
        which forgets the best picture."""
        if not 0 < patience <= after - self._better[0]:
            return False
        self.flat_at = after
        return True

    def run(
        self,
        steps: int,
        *arguments: Any,
        after: int = 0,
        until: int | None = None,
        patience: int = 0,
        diagnose: Callable[[tf.Tensor], str] = lambda image: "",
    ) -> Iterator[tuple[int, dict[str, float]]]:
        """Go on from where the walk stands, `after` so many evaluations, until it has made `steps`
        of them, or `until` where that is less; yield each one's number (from 1) and its values as
        floats by name. Evaluations that are not finite are not yielded. With `patience` above 0 the
        walk ends early when so many evaluations in a row did not lower the loss by a thousandth.

        Raises Diverged at the third that is not, naming the step and what `diagnose` says of the
        image there.
        """
        for step in range(after + 1, (steps if until is None else until) + 1):
            if self.is_flat(step - 1, patience):  # asked here, so that a walk taken up where it ended ends there
                break
            evaluation, gradient = self.evaluate(self.optimizer.image.read_value(), *arguments)
            where = self.optimizer.image.read_value() if not math.isfinite(float(evaluation["total"])) else None
            moved = self._move(evaluation["total"], gradient)
            del gradient  # one picture less beside the next evaluation
            if not moved:
                self.setbacks.append(step)
                if len(self.setbacks) > _SETBACKS_ALLOWED:
                    found = diagnose(where) if where is not None else "the loss is finite and its gradient is not"
                    raise Diverged(
                        f"loss or gradient not finite at step {step} of {steps}, for the {len(self.setbacks)}rd time"
                        f"{f' ({found})' if found else ''}; use smaller weights, precision: float32 or, with"
                        " adam or gd, a smaller learning_rate"
                    )
                continue
            loss = float(evaluation["total"])
            if loss < self._better[1] * _IMPROVEMENT:
                self._better = (step, loss)
            yield step, {name: float(value) for name, value in evaluation.items()}
        if not math.isfinite(float(self.best_loss)):
            raise Diverged(f"no evaluation of {steps} was finite; use smaller weights or precision: float32")

    def state(self) -> State:
        """Where the walk stands, as arrays: `restore` goes on from there bit for bit."""
        return {
            **self.optimizer.state(),
            "best": snapshot(self.best),
            "best_loss": snapshot(self.best_loss),
            "setbacks": np.array(self.setbacks, np.int64),
            "better": np.array(self._better, np.float64),
            **({} if self.sum is None else {"sum": snapshot(self.sum), "left": snapshot(self.left)}),
        }

    def restore(self, state: State) -> None:
        """Stand where `state` was taken. Raises KeyError or ValueError where it is another
        descent's."""
        self.optimizer.restore(state)
        self.best.assign(state["best"])
        self.best_loss.assign(state["best_loss"])
        if self.sum is not None:
            self.sum.assign(state["sum"])
            self.left.assign(state["left"])
        self.setbacks, self.flat_at = [int(step) for step in state["setbacks"]], None
        self._better = (int(state["better"][0]), float(state["better"][1]))
