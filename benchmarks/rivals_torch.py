"""PyTorch (eager and compiled), SciPy and ONNX Runtime, as one would call them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime
import scipy
import torch
from onnx import TensorProto, helper
from scipy import special

Calls = dict[tuple[str, str], Callable[[], Any]]
VERSIONS = {
    "torch": torch.__version__,
    "torch.compile": torch.__version__,
    "SciPy": scipy.__version__,
    "ONNX Runtime": onnxruntime.__version__,
}


def softmax_session(rows: int, classes: int, threads: int) -> Any:
    """A model of one node, in a session of so many threads."""
    shape = [rows, classes]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in "xy"
    ]
    node = helper.make_node("Softmax", ["x"], ["y"], axis=-1)
    graph = helper.make_graph([node], "softmax", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = min(model.ir_version, 10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    providers = ["CPUExecutionProvider"]
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers)


class Rivals:
    """The calls for one array of logits and its labels."""

    def __init__(self, x: Any, y: Any, threads: int) -> None:
        torch.set_num_threads(threads)
        self.x, self.y, self.threads = x, y, threads
        self.logits = torch.from_numpy(x.copy()).requires_grad_()
        self.labels = torch.from_numpy(y)
        self.compiled = torch.compile(torch.nn.functional.cross_entropy)

    def loss_and_gradient(self) -> Calls:
        eager = torch.nn.functional.cross_entropy
        return {
            ("torch", "fresh"): lambda: self.backward(eager),
            ("torch.compile", "fresh"): lambda: self.backward(self.compiled),
            ("SciPy", "fresh"): self.with_scipy,
        }

    def backward(self, loss_of: Callable[..., Any]) -> Any:
        self.logits.grad = None
        loss = loss_of(self.logits, self.labels)
        loss.backward()
        return loss, self.logits.grad

    def with_scipy(self) -> Any:
        log_p = special.log_softmax(self.x, axis=-1)
        own = np.arange(len(self.y)), self.y
        loss, slope = -log_p[own].mean(), np.exp(log_p)
        slope[own] -= 1
        slope /= len(self.y)
        return loss, slope

    def softmax(self) -> Calls:
        logits = self.logits.detach()
        out = torch.empty_like(logits)
        rows, classes = self.x.shape
        session = softmax_session(rows, classes, self.threads)
        self.bound = np.empty_like(self.x)
        binding = session.io_binding()
        value = onnxruntime.OrtValue.ortvalue_from_numpy(self.x)
        binding.bind_ortvalue_input("x", value)
        place = (list(self.x.shape), self.bound.ctypes.data)
        binding.bind_output("y", "cpu", 0, np.float32, *place)
        return {
            ("torch", "fresh"): lambda: torch.softmax(logits, -1),
            ("torch", "out"): lambda: torch.softmax(logits, -1, out=out),
            ("SciPy", "fresh"): lambda: special.softmax(self.x, axis=-1),
            ("ONNX Runtime", "out"): lambda: session.run_with_iobinding(binding),
        }


assert onnx.__version__  # the model is made with it
