"""Threads, processes, a Dask cluster that loses a worker: always the same result."""

import functools
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from threadpoolctl import threadpool_info

import mrnn_np.runtime.cluster
from mrnn_np.cli import main
from mrnn_np.data import SPECIALS, Vocabulary, get_tokenizer, load_dataset
from mrnn_np.data.scenes import SceneImages
from mrnn_np.decoding.blocks import caption_images
from mrnn_np.features.extraction import extract_features
from mrnn_np.features.matrix import Features
from mrnn_np.images import ImageFolder
from mrnn_np.models import MRNN, MRNNConfig
from mrnn_np.retrieval import likelihood
from mrnn_np.retrieval.pairs import pair_scores
from mrnn_np.retrieval.shortlist import guess_likelihoods, look_closely
from mrnn_np.runtime.cluster import PACKAGES, check_versions
from mrnn_np.runtime.errors import InputError
from mrnn_np.runtime.parallel import spread
from mrnn_np.runtime.parts import Parts
from mrnn_np.runtime.workers import Workers

LOCAL = [Workers("threads", 2), Workers("processes", 1), Workers("processes", 2)]


@pytest.fixture(scope="module")
def cluster():
    """Two worker processes of one thread; whoever is killed is started again."""
    distributed = pytest.importorskip(
        "distributed", reason="Dask is not installed (pip install 'mrnn_np[dask]')"
    )
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        dashboard_address="127.0.0.1:0",
        silence_logs=logging.CRITICAL,
    ) as cluster:
        yield cluster


@pytest.fixture
def workers(cluster):
    address = cluster.scheduler_address.removeprefix("tcp://")
    return Workers("dask", scheduler=address)


def kill_one(cluster) -> None:
    os.kill(next(iter(cluster.workers.values())).pid, signal.SIGKILL)


@pytest.fixture
def kill_half_way(cluster, monkeypatch):
    """Return what kills a worker when `owner.method` is called for the second time."""

    def arrange(owner, method: str) -> None:
        honest, calls = getattr(owner, method), []

        @functools.wraps(honest)
        def after(*args):
            calls.append(args)
            if len(calls) == 2:
                kill_one(cluster)
            return honest(*args)

        monkeypatch.setattr(owner, method, after)

    return arrange


def model_of_eight_words(seed: int = 0) -> MRNN:
    rng = np.random.default_rng(seed)
    words = [*SPECIALS, *"abcdefgh"]
    config = MRNNConfig(
        image_size=5, embedding_size=4, recurrent_size=6, multimodal_size=7
    )
    model = MRNN(config, Vocabulary(words, np.arange(12)), rng)
    model.params["Wo"] = rng.standard_normal((7, 12)).astype(np.float32)
    model.set_feature_statistics(rng.standard_normal((20, 5)).astype(np.float32))
    return model


def some_features(count: int) -> np.ndarray:
    return np.random.default_rng(2).standard_normal((count, 5)).astype(np.float32)


def some_sentences(count: int) -> list[list[int]]:
    rng = np.random.default_rng(3)
    return [rng.integers(4, 12, rng.integers(1, 6)).tolist() for _ in range(count)]


class Squares:
    """x^2, slowly; every call leaves a line in a file."""

    def __init__(self, log):
        self.log = log

    def __call__(self, x: np.ndarray) -> np.ndarray:
        with open(self.log, "a", encoding="utf-8") as stream:
            stream.write(f"{x[0]}\n")
        time.sleep(0.1)
        return x**2


def blas_threads(_) -> int:
    limits = [i["num_threads"] for i in threadpool_info() if i["user_api"] == "blas"]
    return max(limits)


def fails_at_three(x: int) -> int:
    if x == 3:
        raise InputError("three is no good")
    return x


def ends_its_worker(x: int) -> int:
    if x == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return x


@pytest.mark.parametrize("local", LOCAL, ids=str)
def test_every_item_comes_once(local):
    results = list(spread(abs, iter(range(-5, 5)), local))
    assert sorted(results) == [(i, abs(x)) for i, x in enumerate(range(-5, 5))]
    with pytest.raises(InputError, match="three is no good"):
        list(spread(fails_at_three, range(6), local))


def test_blas_has_one_thread_beside_other_threads():
    assert [n for _, n in spread(blas_threads, range(4), Workers("threads", 2))] == [
        1, 1, 1, 1,
    ]  # fmt: skip


def test_a_lost_worker_costs_its_block(cluster, workers, tmp_path):
    log = tmp_path / "calls"
    items = [np.full(1000, float(i)) for i in range(12)]
    found = {}
    for i, result in spread(Squares(log), items, workers):
        found[i] = result
        if len(found) == 4:
            kill_one(cluster)
    assert sorted(found) == list(range(12))
    assert all(np.array_equal(found[i], items[i] ** 2) for i in found)
    calls = log.read_text(encoding="utf-8").split()
    # What it was at, and what it had done that nobody had fetched yet.
    assert 12 <= len(calls) <= 15


def test_blas_has_one_thread_on_a_worker(workers):
    assert {n for _, n in spread(blas_threads, range(4), workers)} == {1}


def test_errors_come_back_from_a_worker(workers):
    with pytest.raises(InputError, match="three is no good"):
        list(spread(fails_at_three, range(6), workers))


def test_a_block_that_ends_its_workers_is_given_up(cluster, workers, monkeypatch):
    # With no second try a block that waited on the dying worker may be blamed as well.
    monkeypatch.setattr(cluster.scheduler, "allowed_failures", 0)
    with pytest.raises(InputError, match=r"block \d ended every worker that tried it"):
        list(spread(ends_its_worker, range(3), workers))


class OnlyHere(ImageFolder):
    """A folder that other machines do not see."""

    def read(self, name):
        assert os.getpid() == HERE, "a worker has looked for the file of an image"
        return super().read(name)


HERE = os.getpid()


class Colours:
    """An extractor of three numbers: the mean of each colour."""

    name, sha256, feature_size, feature_preprocessing = "colours", "c" * 64, 3, {}

    def features(self, images):
        time.sleep(0.1)
        means = [np.asarray(image).mean((0, 1)) for image in images]
        return np.array(means, np.float32).reshape(-1, 3)


def test_features(workers, kill_half_way, tmp_path, monkeypatch):
    monkeypatch.setattr("mrnn_np.features.extraction.BLOCK", 2)
    folder = tmp_path / "images"
    folder.mkdir()
    names = [f"{name}.png" for name in SceneImages().names()[:14]]
    for name in names:
        SceneImages().open(name.removesuffix(".png")).save(folder / name)
    (folder / names[3]).write_bytes(b"no picture")
    images = OnlyHere(folder)
    names.append("gone.png")
    here = extract_features(images, names, Colours(), tmp_path / "here.npz")
    kill_half_way(Features, "save")
    there = extract_features(images, names, Colours(), tmp_path / "f.npz", workers)
    assert there.names == here.names and len(there) == 13
    assert np.array_equal(there.matrix, here.matrix)
    assert there.failed == here.failed and list(there.failed) == [names[3], names[-1]]
    assert (tmp_path / "f.npz").read_bytes() == (tmp_path / "here.npz").read_bytes()
    assert not (tmp_path / "f.npz.part").exists()


def test_captions(workers, kill_half_way, tmp_path, monkeypatch):
    monkeypatch.setattr("mrnn_np.decoding.blocks.BLOCK", 4)
    model, features = model_of_eight_words(), some_features(30)
    expected = model.caption(features, beam_size=3, n_best=2, block=4)
    assert caption_images(model, features, 3, 2) == expected
    kill_half_way(Parts, "save")
    folder = tmp_path / "out.json.part"
    assert caption_images(model, features, 3, 2, workers, folder) == expected
    assert len(list(folder.glob("block-*.npz"))) == 8


def test_stopped_captions_go_on(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("mrnn_np.decoding.blocks.BLOCK", 4)
    model, features = model_of_eight_words(), some_features(30)
    save = Parts.save

    def stops(parts, name, arrays):
        save(parts, name, arrays)
        if len(list(tmp_path.glob("*.npz"))) == 3:
            raise KeyboardInterrupt

    one = Workers(jobs=1)
    monkeypatch.setattr(Parts, "save", stops)
    with pytest.raises(KeyboardInterrupt):
        caption_images(model, features, workers=one, folder=tmp_path)
    assert f"kept in {tmp_path}: the same command goes on" in capsys.readouterr().err
    written = []

    def saves(parts, name, arrays):
        written.append(name)
        save(parts, name, arrays)

    monkeypatch.setattr(Parts, "save", saves)
    found = caption_images(model, features, workers=one, folder=tmp_path)
    assert [beam[0] for beam in found] == model.caption(features, block=4)
    assert len(written) == 8 - 3
    with pytest.raises(InputError, match="captions of another model"):
        caption_images(model, features, beam_size=2, folder=tmp_path)
    with pytest.raises(InputError, match="captions of another model"):
        caption_images(model_of_eight_words(1), features, folder=tmp_path)


def test_likelihoods(workers, kill_half_way, tmp_path, monkeypatch):
    monkeypatch.setattr(likelihood, "BLOCK", 2)
    model, features, sentences = (
        model_of_eight_words(), some_features(20), some_sentences(30),
    )  # fmt: skip
    expected, _ = pair_scores(model, features, sentences)
    kill_half_way(Parts, "save")
    path = tmp_path / "s.npz"
    found, work = pair_scores(model, features, sentences, workers, path=path)
    assert np.array_equal(found, expected)
    assert work.multiply_adds == work.rows * 20 * 7 * 12  # each block counts once
    assert path.exists() and not (tmp_path / "s.npz.part").exists()


def test_shortlists(workers):
    model, sentences = model_of_eight_words(), some_sentences(30)
    standard = model.standardise(some_features(12))
    guess = guess_likelihoods(model, standard, sentences, np.random.default_rng(0))
    here = look_closely(model, standard, sentences, guess, 3)
    there = look_closely(model, standard, sentences, guess, 3, workers)
    assert np.array_equal(there.scores, here.scores)
    assert np.array_equal(there.exact, here.exact)


def folder_of_scenes(folder, count: int) -> str:
    """Write pictures and sentences, return the name of the data set."""
    scenes = load_dataset("scenes")
    names = scenes.images.names()[:count]
    for name in names:
        scenes.images.open(name).save(folder / f"{name}.png")
    rows = [f"{name}.png\t{text}\n" for name in names for text in scenes.captions[name]]
    (folder / "captions.tsv").write_text("".join(rows), encoding="utf-8")
    return f"folder:{folder}"


def model_for(dataset: str, features: Features) -> MRNN:
    """A model of random weights that knows the words of a data set."""
    captions = load_dataset(dataset).captions
    texts = [text for five in captions.values() for text in five]
    words = Vocabulary.build(map(get_tokenizer("english").tokenize, texts), 1)
    config = MRNNConfig(
        image_size=features.size, embedding_size=8, recurrent_size=8, multimodal_size=8
    )
    rng = np.random.default_rng(0)
    model = MRNN(config, words, rng, extractor=features.extractor)
    model.set_feature_statistics(features.matrix.astype(np.float32))
    return model


def test_commands(workers, tmp_path, capsys):
    tmp_path.joinpath("pictures").mkdir()
    dataset = folder_of_scenes(tmp_path / "pictures", 30)
    dask = ["--backend", "dask", "--scheduler", workers.scheduler]
    printed = []
    for name, more in {"here": [], "there": dask}.items():
        out = tmp_path / name
        f, m = str(out / "f.npz"), str(tmp_path / "m.npz")
        assert main(["features", dataset, "--cnn", "scenes", "-o", f, *more]) == 0
        if name == "here":
            model_for(dataset, Features.load(f)).save(m)
        capsys.readouterr()
        given = [dataset, "--split", "dev", "--features", f, "--checkpoint", m, *more]
        assert main(["evaluate", *given, "--json", str(out / "scores.json")]) == 0
        ranks, matrix = str(out / "ranks.json"), str(out / "s.npz")
        assert main(["rank", *given, "--json", ranks, "--matrix", matrix]) == 0
        assert main(["rank", *given, "--shortlist", "2"]) == 0
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1] and "sentence to image" in printed[0]
    here, there = (
        {file.name: file.read_bytes() for file in (tmp_path / name).iterdir()}
        for name in ("here", "there")
    )
    assert here == there
    assert sorted(here) == [
        "f.npz", "ranks.json", "s.npz", "scores.captions.json", "scores.json",
    ]  # fmt: skip


def test_no_scheduler_no_worker_no_dask(tmp_path, monkeypatch, capsys):
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(mrnn_np.runtime.cluster, "PATIENCE", 0.5)
    nobody = Workers("dask", scheduler="127.0.0.1:9")
    with pytest.raises(InputError, match=r"127\.0\.0\.1:9: no Dask scheduler answers"):
        list(spread(abs, [1], nobody))
    command = ["features", "scenes", "-o", str(tmp_path / "f.npz"), "--backend", "dask"]
    assert main([*command, "--scheduler", "nonsense"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("mrnn-np: error: nonsense: no Dask") and "\n" in error[-1:]
    assert error.count("\n") == 1
    with distributed.LocalCluster(
        n_workers=0, dashboard_address="127.0.0.1:0"
    ) as empty:
        address = empty.scheduler_address
        with pytest.raises(InputError, match="the scheduler has no worker: start some"):
            list(spread(abs, [1], Workers("dask", scheduler=address)))
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"needs Dask: pip install 'mrnn_np\[dask\]'"):
        list(spread(abs, [1], nobody))


@pytest.mark.parametrize("word", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n" * 9])
def test_somebody_else_listens(word, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(mrnn_np.runtime.cluster, "PATIENCE", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"

        def answer():
            caller, _ = listener.accept()
            with caller:
                caller.sendall(word)
                done.wait(60)

        done = threading.Event()
        threading.Thread(target=answer, daemon=True).start()
        try:
            with pytest.raises(InputError, match=f"{address}: no Dask scheduler"):
                list(spread(abs, [1], Workers("dask", scheduler=address)))
        finally:
            done.set()


@pytest.mark.skipif(os.name == "nt", reason="Windows does not tell who is an orphan")
@pytest.mark.parametrize("moment", ["fork", "launch", 0.05, 0.4, 0.8, 1.2, 2.0])
def test_workers_end_with_a_process_that_was_killed(moment):
    # Killed as soon as a worker was forked; when it had been sent all that it needs to
    # start, but had not started; or so many seconds after the first may have been.
    code = (
        "import os, signal, sys, time\n"
        "from joblib.externals.loky.backend import fork_exec, popen_loky_posix\n"
        "from mrnn_np.runtime.parallel import Workers, spread\n"
        "def work(item):\n"
        "    time.sleep(0.1)\n"
        "def then_end(function):\n"
        "    def ends(*args, **options):\n"
        "        function(*args, **options)\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return ends\n"
        "if sys.argv[1] == 'fork':\n"
        "    fork_exec.fork_exec = then_end(fork_exec.fork_exec)\n"
        "if sys.argv[1] == 'launch':\n"
        "    popen = popen_loky_posix.Popen\n"
        "    popen._launch = then_end(popen._launch)\n"
        "print('ready', flush=True)\n"
        "list(spread(work, range(10_000), Workers('processes', 2)))\n"
    )
    command = [sys.executable, "-c", code, str(moment)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as p:
        assert p.stdout.readline() == b"ready\n"
        if isinstance(moment, float):
            time.sleep(moment)
            p.kill()
        # They end when the last who could write into them is gone.
        p.communicate(timeout=60)
        assert p.returncode == -signal.SIGKILL


@pytest.mark.skipif(os.name == "nt", reason="Windows has no process groups")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_workers_say_nothing_when_all_are_asked_to_end(name):
    number = getattr(signal, name)
    code = (
        "import os, signal, sys, time\n"
        "from joblib.externals.loky.backend.popen_loky_posix import Popen\n"
        "from mrnn_np.runtime.parallel import Workers, spread\n"
        "launch = Popen._launch\n"
        "def launches(*args):\n"
        "    launch(*args)\n"
        f"    os.killpg(0, {number:d})\n"
        "Popen._launch = launches\n"
        f"signal.signal({number:d}, signal.default_int_handler)\n"
        "try:\n"
        "    list(spread(abs, range(10_000), Workers('processes', 2)))\n"
        "except KeyboardInterrupt:\n"
        "    print('stopped', flush=True)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        timeout=60,
        start_new_session=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"stopped\n", b"")


def test_other_versions_are_refused():
    versions = {name: "1.0" for name in PACKAGES}
    here = {"packages": {"python": "3.11.7.final.0", **versions}}
    same = {"packages": {"python": "3.11.2.final.0", **versions}}
    check_versions(here, {"tcp://a:1": here, "tcp://b:2": same})
    for change, text in {
        ("python", "3.10.7.final.0"): "worker tcp://b:2 has python 3.10, this machine",
        ("numpy", "1.26"): "has numpy 1.26, this machine 1.0: install the same",
        ("mrnn_np", None): r"has mrnn_np \(none\), this machine 1.0",
    }.items():
        other = {"packages": {**same["packages"], change[0]: change[1]}}
        with pytest.raises(InputError, match=text):
            check_versions(here, {"tcp://a:1": same, "tcp://b:2": other})


def test_options_that_do_not_go_together(tmp_path, capsys):
    for options in (["--backend", "dask"], ["--scheduler", "here:1"]):
        goal = str(tmp_path / "f.npz")
        assert main(["features", "scenes", "-o", goal, *options]) == 2
        assert "needs both --backend dask and --sch" in capsys.readouterr().err
    with pytest.raises(InputError, match="no backend 'mpi': threads, processes, dask"):
        Workers("mpi")
    with pytest.raises(InputError, match="--jobs must be 1 or more, not 0"):
        Workers(jobs=0)
    with pytest.raises(InputError, match="--jobs must be at most 1024"):
        Workers("threads", 10**6)


@pytest.mark.parametrize("backend", ["threads", "processes"])
def test_nothing_is_said_of_results_that_nobody_wants(backend, recwarn):
    results = spread(abs, range(-50, 0), Workers(backend, 2))
    next(results)
    results.close()
    assert not recwarn.list
