"""RecBole's SASRec on one file of sequences, leave-one-out, ranked against all items.

    python recbole_sasrec.py beauty.parquet [key=value ...]

The file has the columns user_id, position and item_id. Every user's last item is the test, the one
before it the validation, and no item is left out of the ranking (RecBole ranks so for sequence
models). Settings after the file replace RecBole's own (`epochs=5`, `learning_rate=0.0005`, ...).
Prints one JSON object.

One thing is changed for time alone and leaves the arithmetic as it is: a batch is sorted by length
and encoded in parts, each padded to its own longest (RecBole pads everything to 50 and masks it).

`prefixes=shared` changes one thing more: RecBole trains on every prefix of a history as a sample of
its own; this puts all prefixes of a customer into one batch, as SASRec's authors do, so that they
are encoded in one causal pass. Model, loss (cross-entropy over all items), optimiser, early stopping
and evaluation stay RecBole's. `checkpoint=FILE` trains nothing and measures a saved model;
`resume=FILE` goes on from one.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch

_load = torch.load
torch.load = lambda *args, **kwargs: _load(*args, **{"weights_only": False, **kwargs})

from recbole.config import Config  # noqa: E402
from recbole.data import create_dataset, data_preparation  # noqa: E402
from recbole.model.sequential_recommender import SASRec  # noqa: E402
from recbole.trainer import Trainer  # noqa: E402
from recbole.utils import init_logger, init_seed  # noqa: E402


class Trimmed(SASRec):
    """SASRec that doesn't compute padding."""

    parts = 6

    def forward(self, item_seq, item_seq_len):
        order = torch.argsort(item_seq_len)
        states = []
        for rows in torch.chunk(order, self.parts):
            longest = int(item_seq_len[rows].max())
            states.append(super().forward(item_seq[rows, :longest], item_seq_len[rows]))
        back = torch.empty_like(order)
        back[order] = torch.arange(len(order))
        return torch.cat(states)[back]

    def loss_of(self, batch):
        """Mean cross-entropy of every item of these stretches but their first."""
        batch = sorted(batch, key=len)
        states, targets, size = [], [], -(-len(batch) // self.parts)
        parts = [batch[start : start + size] for start in range(0, len(batch), size)]
        for part in parts:
            items = torch.nn.utils.rnn.pad_sequence(part, batch_first=True)
            inputs, nexts = items[:, :-1], items[:, 1:]
            embedded = self.item_embedding(inputs) + self.position_embedding(torch.arange(inputs.size(1)))
            embedded = self.dropout(self.LayerNorm(embedded))
            output = self.trm_encoder(embedded, self.get_attention_mask(inputs), output_all_encoded_layers=True)[-1]
            states.append(output[nexts != 0])
            targets.append(nexts[nexts != 0])
        logits = torch.matmul(torch.cat(states), self.item_embedding.weight.transpose(0, 1))
        return self.loss_fct(logits, torch.cat(targets))


class SharedPrefixes(Trainer):
    """Trains on all prefixes of a customer at once; everything else is RecBole's trainer."""

    def _train_epoch(self, train_data, epoch_idx, loss_func=None, show_progress=False):
        self.model.train()
        if not hasattr(self, "windows"):
            self.windows = windows(train_data.dataset, self.config["MAX_ITEM_LIST_LENGTH"])
        size, total = self.config["train_batch_size"], 0.0
        order, batch, count = torch.randperm(len(self.windows)).tolist(), [], 0
        for place, index in enumerate(order):
            batch.append(self.windows[index])
            count += len(batch[-1]) - 1
            if count >= size or place + 1 == len(order):
                self.optimizer.zero_grad()
                loss = self.model.loss_of(batch)
                loss.backward()
                self.optimizer.step()
                total += loss.item()
                batch, count = [], 0
        return total


def windows(dataset, longest):
    """Each customer's training items, cut into stretches of which each overlaps the next by one."""
    histories = {}
    feat = dataset.inter_feat
    columns = (dataset.uid_field, dataset.iid_field, "item_id_list", dataset.item_list_length_field)
    for user, target, items, length in zip(*(feat[column].numpy() for column in columns)):
        history = histories.setdefault(user, [items[0]])
        assert length > longest - 1 or len(history) == length
        history.append(target)
    stretches = []
    for history in histories.values():
        end = len(history) - 1
        while end > 0:
            start = max(end - longest, 0)
            stretches.append(torch.tensor(np.array(history[start : end + 1]), dtype=torch.long))
            end = start
    return stretches


def atomic_file(source: Path, folder: Path) -> str:
    """Writes RecBole's own format."""
    table = pd.read_parquet(source)
    name = source.stem
    (folder / name).mkdir(parents=True)
    table = table.sort_values(["user_id", "position"])
    columns = {"user_id": "user_id:token", "item_id": "item_id:token", "position": "timestamp:float"}
    table[list(columns)].rename(columns=columns).to_csv(folder / name / f"{name}.inter", sep="\t", index=False)
    return name


def main() -> None:
    source = Path(sys.argv[1])
    settings = {}
    for setting in sys.argv[2:]:
        key, value = setting.split("=", 1)
        settings[key] = json.loads(value) if value[:1] in "0123456789[{-tf" else value
    checkpoint = settings.pop("checkpoint", None)
    resume = settings.pop("resume", None)
    shared = settings.pop("prefixes", "apart") == "shared"
    folder = Path(tempfile.mkdtemp())
    name = atomic_file(source, folder)
    config = Config(
        model="SASRec",
        dataset=name,
        config_dict={
            "data_path": str(folder),
            "checkpoint_dir": str(folder / "saved"),
            "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
            "MAX_ITEM_LIST_LENGTH": 50,
            "train_neg_sample_args": None,
            "loss_type": "CE",
            "eval_args": {"split": {"LS": "valid_and_test"}, "order": "TO", "group_by": "user", "mode": "full"},
            "metrics": ["Hit", "NDCG"],
            "topk": [10],
            "valid_metric": "NDCG@10",
            "metric_decimal_place": 6,
            "eval_batch_size": 2048,
            "use_gpu": False,
            "show_progress": False,
            "state": "INFO",
            "seed": 2020,
            "reproducibility": True,
            **settings,
        },
    )
    sys.argv = sys.argv[:1]
    init_seed(config["seed"], config["reproducibility"])
    init_logger(config)
    dataset = create_dataset(config)
    train, valid, test = data_preparation(config, dataset)
    init_seed(config["seed"], config["reproducibility"])
    model = Trimmed(config, train.dataset)
    trainer = (SharedPrefixes if shared else Trainer)(config, model)
    if checkpoint:
        found = trainer.evaluate(test, load_best_model=True, model_file=checkpoint, show_progress=False)
        print(json.dumps({"model": "RecBole SASRec", "checkpoint": True, "test": {key: float(value) for key, value in found.items()}}))
        return
    if resume:
        trainer.resume_checkpoint(resume)
    start = time.time()
    _, best_valid = trainer.fit(train, valid, saved=True, show_progress=False)
    seconds = time.time() - start
    found = trainer.evaluate(test, load_best_model=True, show_progress=False)
    print(
        json.dumps(
            {
                "model": "RecBole SASRec",
                "data": source.name,
                "users": dataset.user_num - 1,
                "items": dataset.item_num - 1,
                "seed": config["seed"],
                "settings": settings,
                "prefixes": "shared" if shared else "apart",
                "epochs": len(trainer.train_loss_dict),
                "threads": torch.get_num_threads(),
                "train_seconds": seconds,
                "validation": {key: float(value) for key, value in best_valid.items()},
                "test": {key: float(value) for key, value in found.items()},
            },
            default=str,
        )
    )


if __name__ == "__main__":
    main()
