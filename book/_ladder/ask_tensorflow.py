import tensorflow as tf

x = tf.Variable([[20.0, 0.0, 0.0]])
with tf.GradientTape() as tape:
    loss = tf.nn.sparse_softmax_cross_entropy_with_logits([0], x)
print(loss.numpy().item(), tape.gradient(loss, x).numpy().tolist())
