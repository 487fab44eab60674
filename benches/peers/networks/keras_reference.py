"""Trains the reference network in Keras on the CPU, on rows that the example `network_epoch` wrote.

    python keras_reference.py '{"file": "rows.f32", "rows": 20000, "epochs": 10, "threads": 1}'

5 inputs, Dense 32 ReLU, 3 sigmoid heads, binary cross-entropy, Adam 1e-3, batches of 32, the last fifth of the rows for
validation. A row of the file: 5 features, 3 labels. Prints one JSON object.
"""

import json
import os
import sys
import time

settings = json.loads(sys.argv[1])
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import numpy as np
import tensorflow as tf

tf.config.threading.set_intra_op_parallelism_threads(settings["threads"])
tf.config.threading.set_inter_op_parallelism_threads(settings["threads"])
keras = tf.keras
keras.utils.set_random_seed(1)

table = np.fromfile(settings["file"], dtype=np.float32).reshape(settings["rows"], 8)
model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(32, activation="relu"), keras.layers.Dense(3, activation="sigmoid")])
model.compile(optimizer=keras.optimizers.Adam(1e-3), loss="binary_crossentropy")


class Clock(keras.callbacks.Callback):
    seconds = []

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds.append(time.perf_counter() - self.start)


history = model.fit(
    table[:, :5], table[:, 5:], batch_size=32, epochs=settings["epochs"], validation_split=0.2, verbose=0, callbacks=[Clock()]
)
print(json.dumps({"seconds": Clock.seconds, "loss": history.history["loss"], "held_out": history.history["val_loss"]}))
