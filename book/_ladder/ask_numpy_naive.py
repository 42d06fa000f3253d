import numpy as np

p = np.exp(x := np.array([20.0, 0.0, 0.0], np.float32)) / np.exp(x).sum()
print((-np.log(p[0])).item(), (p - [1, 0, 0]).tolist())
