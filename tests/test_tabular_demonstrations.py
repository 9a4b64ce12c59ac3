import io
import os
import pickle
import re
import stat
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabular import demonstrations as module
from tabular.counts import Demonstrations
from tabular.demonstrations import (
    MAX_DEMOS,
    read_demonstrations,
    sample_counts,
    sample_demonstrations,
    write_demonstrations,
)
from tabular.instances import chain_lock, funnel
from tabular.kernels import sampling
from tabular.strategies import demonstrations, instances

SAMPLERS = pytest.mark.parametrize("sample", [sample_demonstrations, sample_counts])
ENDINGS = pytest.mark.parametrize("ending", ["npz", "csv"])


def same(one, other):
    sizes = (one.n_states, one.n_actions) == (other.n_states, other.n_actions)
    return sizes and np.array_equal(one.states, other.states) and np.array_equal(one.actions, other.actions)


def recorded(**sizes):
    return instances(**sizes).flatmap(lambda i: demonstrations(i.mdp, i.demonstrator))


# --- drawing: what holds for every draw -------------------------------------------------------------------------------


@given(instances(), st.integers(1, 200), st.integers(0, 2**32))
def test_sampled_counts_are_possible_and_complete(instance, n_demos, seed):
    drawn = sample_counts(instance.mdp, instance.demonstrator, n_demos, np.random.default_rng(seed))
    assert drawn.counts.shape == instance.mdp.policy_shape
    assert (drawn.counts.sum(axis=(1, 2)) == n_demos).all()
    assert (instance.occupancy[drawn.counts > 0] > 0).all()


@given(instances(), st.integers(1, 20), st.integers(0, 2**32))
def test_sampled_trajectories_follow_the_process(instance, n_demos, seed):
    mdp = instance.mdp
    drawn = sample_demonstrations(mdp, instance.demonstrator, n_demos, np.random.default_rng(seed))
    assert drawn.states.shape == (n_demos, mdp.horizon)
    dynamics = np.broadcast_to(mdp.to_dense(), (mdp.horizon, *mdp.to_dense().shape[1:]))
    steps = np.arange(mdp.horizon)
    assert (mdp.initial[drawn.states[:, 0]] > 0).all()
    assert (instance.demonstrator[steps, drawn.states, drawn.actions] > 0).all()
    assert (dynamics[steps[:-1], drawn.states[:, :-1], drawn.actions[:, :-1], drawn.states[:, 1:]] > 0).all()


@given(instances(), st.integers(1, 200), st.integers(0, 2**32))
def test_the_flow_between_steps_is_conserved_where_dynamics_are_deterministic(instance, n_demos, seed):
    mdp = instance.mdp
    if mdp.probabilities.shape[-1] == 1:
        counts = sample_counts(mdp, instance.demonstrator, n_demos, np.random.default_rng(seed)).counts
        for h in range(mdp.horizon - 1):
            moved = np.zeros(mdp.n_states, int)
            np.add.at(moved, mdp.successors[h % len(mdp.successors), ..., 0], counts[h])
            assert np.array_equal(moved, counts[h + 1].sum(axis=1))


@SAMPLERS
@given(instance=instances(), n_demos=st.integers(1, 300), seed=st.integers(0, 2**32))
def test_the_same_seed_gives_the_same_draws_and_leaves_the_generator_alike(sample, instance, n_demos, seed):
    one, other = np.random.default_rng(seed), np.random.default_rng(seed)
    first, second = (sample(instance.mdp, instance.demonstrator, n_demos, rng) for rng in (one, other))
    for name, value in vars(first).items():
        assert np.array_equal(value, getattr(second, name))
    assert one.bit_generator.state == other.bit_generator.state


@SAMPLERS
def test_two_draws_from_one_generator_differ(sample):
    instance, rng = funnel(6, 4, 3), np.random.default_rng(1)
    first, second = (pickle.dumps(sample(instance.mdp, instance.demonstrator, 1000, rng)) for _ in range(2))
    assert first != second


@SAMPLERS
def test_sampling_does_not_touch_the_global_generator(sample):
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    sample(chain_lock(3, 2, 0.5).mdp, chain_lock(3, 2, 0.5).demonstrator, 100, np.random.default_rng(0))
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


@SAMPLERS
@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"n_demos": 0}, ValueError, "n_demos must be at least 1; got 0"),
        ({"n_demos": -5}, ValueError, "n_demos must be at least 1; got -5"),
        ({"n_demos": True}, TypeError, "n_demos must be an integer; got True"),
        ({"n_demos": 10.0}, TypeError, "n_demos must be an integer; got 10.0"),
        ({"rng": 7}, TypeError, "rng must be a numpy.random.Generator; got int"),
        ({"rng": np.random.RandomState(0)}, TypeError, "rng must be a numpy.random.Generator; got RandomState"),
        ({"rng": None}, TypeError, "rng must be a numpy.random.Generator; got NoneType"),
        ({"demonstrator": np.full((3, 2, 3), 1 / 3)}, ValueError, "demonstrator must have shape (3, 2, 2); got (3, 2, 3)"),
        ({"demonstrator": np.full((3, 2, 2), 0.4)}, ValueError, "demonstrator rows must sum to 1; row (0, 0) sums to 0.8"),
        ({"demonstrator": np.full((3, 2, 2), np.nan)}, ValueError, "demonstrator must be finite; entry (0, 0, 0) is nan"),
    ],
)  # fmt: skip
def test_a_bad_argument_of_a_sampler_is_refused_and_the_generator_left_alone(sample, changes, error, message):
    lock, rng = chain_lock(3, 2, 0.5), np.random.default_rng(0)
    before = rng.bit_generator.state
    with pytest.raises(error, match=re.escape(message)):
        sample(**({"mdp": lock.mdp, "demonstrator": lock.demonstrator, "n_demos": 5, "rng": rng} | changes))
    assert rng.bit_generator.state == before


def test_more_demonstrations_than_tested_are_refused(rng):
    lock = chain_lock(3, 2, 0.5)
    with pytest.raises(ValueError, match=f"n_demos must be at most {MAX_DEMOS}; got {MAX_DEMOS + 1}"):
        sample_counts(lock.mdp, lock.demonstrator, MAX_DEMOS + 1, rng)


# --- files: round trips -----------------------------------------------------------------------------------------------


@ENDINGS
@given(shown=recorded())
def test_demonstrations_survive_a_file(tmp_path_factory, ending, shown):
    path = tmp_path_factory.mktemp("round") / f"shown.{ending}"
    write_demonstrations(path, shown)
    assert same(read_demonstrations(path, n_states=shown.n_states, n_actions=shown.n_actions), shown)
    assert os.listdir(path.parent) == [path.name]


@given(shown=recorded())
def test_an_npz_states_its_own_sizes_and_a_csv_is_taken_to_be_full(tmp_path_factory, shown):
    folder = tmp_path_factory.mktemp("sizes")
    write_demonstrations(folder / "a.npz", shown)
    write_demonstrations(str(folder / "a.csv"), shown)
    assert same(read_demonstrations(str(folder / "a.npz")), shown)
    read = read_demonstrations(folder / "a.csv")
    assert (read.n_states, read.n_actions) == (shown.states.max() + 1, shown.actions.max() + 1)


def two_episodes():
    return Demonstrations(np.array([[0, 1], [2, 1]]), np.array([[1, 0], [0, 3]]), 3, 4)


def test_a_csv_has_the_columns_episode_step_state_action(tmp_path):
    write_demonstrations(tmp_path / "a.csv", two_episodes())
    lines = (tmp_path / "a.csv").read_text().splitlines()
    assert lines == ["episode,step,state,action", "0,0,0,1", "0,1,1,0", "1,0,2,0", "1,1,1,3"]


CSV_FORMS = {
    "rows in another order": "episode,step,state,action\n1,1,1,3\n0,1,1,0\n1,0,2,0\n0,0,0,1\n",
    "columns in another order": "action,state,step,episode\n1,0,0,0\n0,1,1,0\n0,2,0,1\n3,1,1,1\n",
    "further columns": "note,episode,step,state,action\na,0,0,0,1\nb,0,1,1,0\n,1,0,2,0\nd,1,1,1,3\n",
    "other episode numbers": "episode,step,state,action\n7,0,0,1\n7,1,1,0\n90,0,2,0\n90,1,1,3\n",
    "spaces": " episode, step ,state,action\n 0,0 ,0,1\n0,1,1,0\n1,0,2,0\n1,1,1, 3\n",
    "blank lines": "episode,step,state,action\n\n0,0,0,1\n0,1,1,0\n\n1,0,2,0\n1,1,1,3\n\n",
    "ends of line of another system": "episode,step,state,action\r\n0,0,0,1\r\n0,1,1,0\r\n1,0,2,0\r\n1,1,1,3\r\n",
    "quotes": 'episode,step,"state",action\n0,0,"0",1\n0,1,1,0\n1,0,2,0\n1,1,1,3\n',
    "mark of a spreadsheet": "\ufeffepisode,step,state,action\n0,0,0,1\n0,1,1,0\n1,0,2,0\n1,1,1,3\n",
    "leading zeros and signs": "episode,step,state,action\n0,0,00,+1\n0,1,1,0\n1,0,2,0\n1,1,1,3\n",
}


@pytest.mark.parametrize("text", CSV_FORMS.values(), ids=CSV_FORMS.keys())
def test_a_csv_of_the_same_content_is_read_whatever_its_form(tmp_path, text):
    (tmp_path / "a.csv").write_bytes(text.encode())
    assert same(read_demonstrations(tmp_path / "a.csv"), two_episodes())


@ENDINGS
def test_a_file_is_written_with_the_usual_permissions(tmp_path, ending):
    write_demonstrations(tmp_path / f"a.{ending}", two_episodes())
    (tmp_path / "usual").touch()
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in (f"a.{ending}", "usual")]
    assert modes[0] == modes[1]


# --- files: all or nothing --------------------------------------------------------------------------------------------


def fail(*_, **__):
    raise OSError("disk full")


@pytest.mark.parametrize(
    ("ending", "culprit"),
    [("npz", "np.savez_compressed"), ("csv", "np.savetxt"), ("npz", "os.replace"), ("csv", "os.replace")],
)
def test_a_failing_write_leaves_the_folder_as_it_was(tmp_path, monkeypatch, ending, culprit):
    path = tmp_path / f"a.{ending}"
    path.write_bytes(b"precious")
    monkeypatch.setattr(f"tabular.demonstrations.{culprit}", fail)
    with pytest.raises(OSError, match="disk full"):
        write_demonstrations(path, two_episodes())
    assert os.listdir(tmp_path) == [path.name]
    assert path.read_bytes() == b"precious"


@ENDINGS
def test_an_interrupted_write_leaves_nothing(tmp_path, monkeypatch, ending):
    def interrupt(file, *_, **__):
        file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(module.np, "savez_compressed", interrupt)
    monkeypatch.setattr(module.np, "savetxt", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_demonstrations(tmp_path / f"a.{ending}", two_episodes())
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["a.txt", "a", "a.csv.gz", "a.NPZ"])
def test_files_with_other_endings_are_refused_before_anything_is_written(tmp_path, name):
    with pytest.raises(ValueError, match=re.escape(f"path must end in .npz or .csv; got '{name}'")):
        write_demonstrations(tmp_path / name, two_episodes())
    with pytest.raises(ValueError, match=re.escape(f"path must end in .npz or .csv; got '{name}'")):
        read_demonstrations(tmp_path / name)
    assert os.listdir(tmp_path) == []


def test_objects_other_than_demonstrations_are_not_written(tmp_path):
    with pytest.raises(TypeError, match="demonstrations must be Demonstrations; got Counts"):
        write_demonstrations(tmp_path / "a.csv", two_episodes().counts())
    assert os.listdir(tmp_path) == []


@ENDINGS
def test_a_folder_that_does_not_exist_is_not_made(tmp_path, ending):
    with pytest.raises(FileNotFoundError):
        write_demonstrations(tmp_path / "missing" / f"a.{ending}", two_episodes())
    assert os.listdir(tmp_path) == []


# --- files: refusals --------------------------------------------------------------------------------------------------


@ENDINGS
def test_a_file_that_does_not_exist_is_refused(tmp_path, ending):
    with pytest.raises(FileNotFoundError):
        read_demonstrations(tmp_path / f"a.{ending}")


@ENDINGS
def test_an_empty_file_is_refused(tmp_path, ending):
    (tmp_path / f"a.{ending}").touch()
    with pytest.raises(ValueError, match=f"a.{ending} is empty"):
        read_demonstrations(tmp_path / f"a.{ending}")


HEAD = "episode,step,state,action\n"
CSV_REFUSED = [
    (HEAD, {}, "a.csv has a header but no rows"),
    ("\n", {}, "a.csv, line 1: no column 'episode'; found nothing"),
    ("episode,step,state\n0,0,0\n", {}, "a.csv, line 1: no column 'action'; found episode, step, state"),
    ("0,0,0,1\n", {}, "a.csv, line 1: no column 'episode'; found 0, 0, 0, 1"),
    ("episode,step,state,action,state\n0,0,0,1,2\n", {}, "a.csv, line 1: column 'state' appears twice"),
    (HEAD + "0,0,0,1\n0,1,1\n", {}, "a.csv, line 3: 4 fields expected, 3 found"),
    (HEAD + "0,0,0,1,5\n", {}, "a.csv, line 2: 4 fields expected, 5 found"),
    (HEAD + "0,0,0,1\n0,1,1,", {}, "a.csv, line 3: ['0', '1', '1', ''] are not all integers"),
    (HEAD + "0,0,0.0,1\n", {}, "a.csv, line 2: ['0', '0', '0.0', '1'] are not all integers"),
    (HEAD + "0,0,x,1\n", {}, "a.csv, line 2: ['0', '0', 'x', '1'] are not all integers"),
    (HEAD + "0,0,1_0,1\n", {}, "a.csv, line 2: ['0', '0', '1_0', '1'] are not all integers"),
    (HEAD + "0,0,\u0661,1\n", {}, "are not all integers"),
    (HEAD + f"0,0,{10**30},1\n", {}, "are not all integers"),
    (HEAD + "0,0,0,1\n0,1,-1,1\n", {}, "a.csv, line 3: ['0', '1', '-1', '1'] has a negative number"),
    (HEAD + "-1,0,0,1\n", {}, "a.csv, line 2: ['-1', '0', '0', '1'] has a negative number"),
    (HEAD + "0,0,0,1\n0,0,0,1\n", {}, "a.csv, line 3: episode 0 has step 0 twice"),
    (HEAD + "0,0,0,1\n0,2,0,1\n", {}, "a.csv: episode 0 has no step 1; all episodes need 3 steps"),
    (HEAD + "0,0,0,1\n0,1,0,1\n3,0,0,1\n", {}, "a.csv: episode 3 has no step 1; all episodes need 2 steps"),
    (HEAD + f"0,{10**17},0,1\n", {}, "a.csv: episode 0 has no step 0"),
    (HEAD + "0,0,0,1\n0,1,3,1\n", {"n_states": 3}, "a.csv, line 3: state must be below 3; got 3"),
    (HEAD + "0,0,0,4\n", {"n_actions": 4}, "a.csv, line 2: action must be below 4; got 4"),
    (HEAD + f"0,0,{10**12},1\n", {}, "a.csv, line 2: state must be below 2147483647; got 1000000000000"),
    (HEAD + '0,0,"0,1\n', {}, "a.csv is not a csv file"),
    (HEAD + '0,0,"0"1,1\n', {}, "a.csv is not a csv file"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "sizes", "message"), CSV_REFUSED)
def test_a_bad_csv_is_refused_with_its_line(tmp_path, text, sizes, message):
    (tmp_path / "a.csv").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=re.escape(message)):
        read_demonstrations(tmp_path / "a.csv", **sizes)


@pytest.mark.parametrize("content", [b"\xff\xfe0,0", HEAD.encode() + b"0,0,\xe9,1\n", HEAD.encode("utf-16")])
def test_a_csv_in_another_encoding_is_refused(tmp_path, content):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.csv is not a csv file: 'utf-8' codec can't decode"):
        read_demonstrations(tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("sizes", "error", "message"),
    [
        ({"n_states": 0}, ValueError, "n_states must be at least 1; got 0"),
        ({"n_actions": -1}, ValueError, "n_actions must be at least 1; got -1"),
        ({"n_states": True}, TypeError, "n_states must be an integer; got True"),
        ({"n_states": 3.0}, TypeError, "n_states must be an integer; got 3.0"),
        ({"n_actions": "4"}, TypeError, "n_actions must be an integer; got '4'"),
        ({"n_actions": 2**31}, ValueError, "n_actions must be at most 2147483647; got 2147483648"),
    ],
)
@ENDINGS
def test_bad_sizes_are_refused(tmp_path, ending, sizes, error, message):
    write_demonstrations(tmp_path / f"a.{ending}", two_episodes())
    with pytest.raises(error, match=re.escape(message)):
        read_demonstrations(tmp_path / f"a.{ending}", **sizes)


@pytest.mark.parametrize(("name", "size"), [("n_states", 3), ("n_actions", 4)])
def test_an_npz_must_agree_with_the_stated_sizes(tmp_path, name, size):
    write_demonstrations(tmp_path / "a.npz", two_episodes())
    with pytest.raises(ValueError, match=f"{name} must agree with a.npz, which states {size}; got {size + 1}"):
        read_demonstrations(tmp_path / "a.npz", **{name: size + 1})


def saved(path, **changes):
    good = {"states": [[0, 1]], "actions": [[1, 0]], "n_states": 2, "n_actions": 2}
    np.savez(path, **{name: value for name, value in (good | changes).items() if value is not None})


NPZ_REFUSED = [
    ({"states": None}, "a.npz has no array 'states'"),
    ({"n_actions": None}, "a.npz has no array 'n_actions'"),
    ({"n_states": [2]}, "a.npz: n_states must be one integer"),
    ({"n_states": 2.0}, "a.npz: n_states must be one integer"),
    ({"n_actions": True}, "a.npz: n_actions must be one integer"),
    ({"n_states": 1}, "states must be below 1; entry (0, 1) is 1"),
    ({"n_actions": 0}, "n_actions must be at least 1; got 0"),
    ({"states": [[0, -1]]}, "states must be at least 0; entry (0, 1) is -1"),
    ({"actions": [[1]]}, "actions must have shape (1, 2); got (1, 1)"),
    ({"states": np.zeros((0, 2), int), "actions": np.zeros((0, 2), int)}, "states must hold at least one trajectory"),
    ({"states": np.zeros((2, 0), int), "actions": np.zeros((2, 0), int)}, "states must hold at least one trajectory"),
    ({"states": np.array([[0, None]])}, "a.npz is not a complete npz file: Object arrays cannot be loaded"),
]


@pytest.mark.parametrize(("changes", "message"), NPZ_REFUSED)
def test_an_npz_of_other_content_is_refused(tmp_path, changes, message):
    saved(tmp_path / "a.npz")
    read_demonstrations(tmp_path / "a.npz")
    saved(tmp_path / "a.npz", **changes)
    with pytest.raises(ValueError, match=re.escape(message)):
        read_demonstrations(tmp_path / "a.npz")


def test_an_npz_of_real_numbers_is_refused(tmp_path):
    saved(tmp_path / "a.npz", states=[[0.0, 1.0]])
    with pytest.raises(TypeError, match="states must hold integers; its dtype is float64"):
        read_demonstrations(tmp_path / "a.npz")


class Bomb:
    def __reduce__(self):
        return os.mkdir, ("exploded",)


def test_a_pickle_is_never_opened(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    payload = np.empty((1, 2), object)
    payload[...] = Bomb()
    saved("in_member.npz", states=payload)
    with open("as_file.npz", "wb") as file:
        pickle.dump(Bomb(), file)
    for name in ("in_member.npz", "as_file.npz"):
        with pytest.raises(ValueError, match=f"{name} is not a complete npz file"):
            read_demonstrations(name)
    assert not os.path.exists("exploded")


def a_single_array():
    file = io.BytesIO()
    np.save(file, np.zeros(2))
    return file.getvalue()


def an_archive(**members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


OTHER_FILES = {
    "a single array": a_single_array(),
    "text": b"episode,step,state,action\n0,0,0,0\n",
    "an archive of text": an_archive(states="0"),
    "an empty archive": an_archive(),
    "noise": bytes(range(256)),
    "a zip's first bytes": b"PK\x03\x04",
}


@pytest.mark.parametrize("content", OTHER_FILES.values(), ids=OTHER_FILES.keys())
def test_another_file_named_npz_is_refused_by_name(tmp_path, content):
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.npz (is not a complete npz file|has no array)"):
        read_demonstrations(tmp_path / "a.npz")


def written(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    lock = chain_lock(3, 2, 0.5)
    write_demonstrations(path, sample_demonstrations(lock.mdp, lock.demonstrator, 20, np.random.default_rng(0)))
    return path, path.read_bytes()


def test_an_npz_cut_anywhere_is_refused(tmp_path):
    path, whole = written(tmp_path, "npz")
    for length in range(1, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"a\.npz is not a complete npz file"):
            read_demonstrations(path)


def test_a_csv_cut_inside_an_episode_is_refused(tmp_path):
    path, whole = written(tmp_path, "csv")
    lines = whole.splitlines(keepends=True)
    for kept in (1 + 4, 1 + 5, len(lines) - 1):  # a header, and the rows of an episode and a part of the next
        path.write_bytes(b"".join(lines[:kept]))
        with pytest.raises(ValueError, match=r"a\.csv: episode \d+ has no step \d; all episodes need 3 steps"):
            read_demonstrations(path)


@pytest.mark.parametrize("seed", range(5))
def test_a_damaged_npz_is_refused_or_still_says_the_same(tmp_path, seed):
    path, whole = written(tmp_path, "npz")
    truth, rng = read_demonstrations(path), np.random.default_rng(seed)
    for place in rng.integers(0, len(whole), 60):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << rng.integers(0, 8)
        path.write_bytes(damaged)
        try:
            read = read_demonstrations(path)
        except (ValueError, TypeError):
            continue
        assert same(read, truth)


# --- the kernel that adds up ------------------------------------------------------------------------------------------


def test_counting_visits_adds_to_what_is_there():
    out = np.ones((2, 3, 4), np.int64)
    shown = two_episodes()
    sampling.count_visits(shown.states, shown.actions, out)
    assert np.array_equal(out - 1, shown.counts().counts)


@pytest.mark.parametrize("kept", range(1, 25))
def test_a_csv_that_is_cut_off_inside_a_row_is_refused(tmp_path, kept):
    path = tmp_path / "a.csv"
    write_demonstrations(path, two_episodes())
    whole = path.read_bytes()
    path.write_bytes(whole[:-kept])
    if whole[-kept - 1 : -kept] == b"\n" and whole[:-kept].count(b"\n") in (2, 3, 5):
        assert read_demonstrations(path).n_demos in (1, 2)  # whole episodes are left: nobody can tell
    else:
        with pytest.raises(ValueError, match=r"^a\.csv"):
            read_demonstrations(path)


def test_a_folder_is_no_file_and_a_missing_folder_is_named(tmp_path):
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(ValueError, match=r"a\.csv is not a file"):
        read_demonstrations(tmp_path / "a.csv")
    with pytest.raises(FileNotFoundError, match=r"no folder .*missing to write b\.csv into"):
        write_demonstrations(tmp_path / "missing" / "b.csv", two_episodes())
