"""Reading data to audit: what is counted, and what is refused with its line."""

import tracemalloc
import zipfile

import numpy as np
import pytest

from tabular.audit_data import LONGEST_LINE, read_tally
from tabular.counts import Demonstrations
from tabular.demonstrations import write_demonstrations

HEAD = "episode,step,state,action\n"


def read(path, seed=0, **options):
    return read_tally(path, np.random.default_rng(seed), **options)


def written(tmp_path, text, name="data.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_rows_are_counted_by_step_state_and_action(tmp_path):
    text = HEAD + "x,0,home,left\nx,1,away,left\ny,1,away,right\ny,0,home,left\nz,0,home,right\n"
    tally = read(written(tmp_path, text), n_actions=3)
    found = {
        (int(tally.cell_step[c]), int(tally.cell_state[c]), int(a)): int(n)
        for c, a, n in zip(tally.pair_cell, tally.pair_action, tally.counts.sum(axis=1), strict=True)
    }
    assert found == {(0, 0, 0): 2, (1, 1, 0): 1, (1, 1, 1): 1, (0, 0, 1): 1}
    assert tally.state_actions.tolist() == [3, 3]
    assert tally.n_episodes == 3
    assert tally.counts.shape[1] == 3  # no more folds than episodes
    assert sorted(tally.counts.sum(axis=0).tolist()) == [1, 2, 2]
    pooled = tally.without_steps()
    assert pooled.visits.tolist() == [3, 2]
    assert pooled.counts.sum(axis=1).tolist() == [2, 1, 1, 1]


def test_columns_may_be_in_any_order_with_extra_columns_and_a_byte_order_mark(tmp_path):
    text = '\ufeffaction, step ,note,state,episode\r\n07,0,"a, b",s,0\r\n7,0,,s,1\r\n\r\n'
    tally = read(written(tmp_path, text), n_actions=8)
    assert tally.counts.sum(axis=1).tolist() == [2]


def test_numbers_of_actions_come_from_a_column_a_file_or_the_data(tmp_path):
    rows = [("0", "0", "a", "u"), ("1", "0", "b", "v")]
    plain = HEAD + "".join(",".join(row) + "\n" for row in rows)
    sizes = written(tmp_path, "state,n_actions\nb,9\na,5\n", "sizes.csv")
    assert read(written(tmp_path, plain), actions_file=sizes).state_actions.tolist() == [5, 9]
    column = "episode,step,state,action,n_actions\n0,0,a,u,5\n1,0,b,v,9\n"
    assert read(written(tmp_path, column)).state_actions.tolist() == [5, 9]
    tally = read(written(tmp_path, plain))
    assert tally.state_actions.tolist() == [2, 2]
    assert not tally.actions_stated


def test_an_npz_and_a_csv_of_the_same_rows_are_the_same(tmp_path, rng):
    demonstrations = Demonstrations(rng.integers(0, 4, (7, 5)), rng.integers(0, 3, (7, 5)), 4, 3)
    tallies = []
    for name in ("d.csv", "d.npz"):
        write_demonstrations(tmp_path / name, demonstrations)
        tallies.append(read(tmp_path / name, n_actions=3))
    rows = np.arange(35)
    columns = {"episode": rows // 5, "step": rows % 5, "state": demonstrations.states.ravel().astype(str),
               "action": demonstrations.actions.ravel()}  # fmt: skip
    np.savez(tmp_path / "rows.npz", **columns)
    tallies.append(read(tmp_path / "rows.npz", n_actions=3))
    for name in ("counts", "pair_cell", "cell_step", "cell_state"):
        for other in tallies[1:]:
            assert np.array_equal(getattr(tallies[0], name), getattr(other, name))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"data\.csv is empty"),
        (HEAD, "has no rows: 0 episodes"),
        ("episode,step,state\n0,0,1\n", "line 1: no column 'action'; found 'episode, step, state'"),
        ("episode,step,state,action,step\n", "line 1: two columns 'step'"),
        (HEAD + "0,0,1,1\n0,1,1\n", "line 3: 4 fields expected, 3 found"),
        (HEAD + "0,zero,1,1\n", "line 2: step must be an integer; got 'zero'"),
        (HEAD + "0,nan,1,1\n", "line 2: step must be an integer; got 'nan'"),
        (HEAD + "0,-1,1,1\n", "line 2: step must be from 0 to 2147483647; got -1"),
        (HEAD + "0,99999999999,1,1\n", "line 2: step must be from 0"),
        (HEAD + "0,0,1,1\n0,0,2,1\n", "line 3: episode '0' has step 0 twice"),
        (HEAD + "0,0,1,1\n1,0,1,1\n0,1,1,1\n", "line 4: episode '0' again, after others"),
        (HEAD + "0,0,1,5\n", "line 2: action must be below 2; got 5"),
        (HEAD + "0,0,1,-1\n", "line 2: action must not be negative; got -1"),
        (HEAD + "0,0,s,a\n1,0,s,b\n2,0,s,c\n", "line 4: action 'c' is one more than the 2"),
        (HEAD + "0,0,s,a\n0,1,t,b\n0,2,u,c\n", "there are 3 different actions; 2 were stated"),
        (HEAD + "0,0,1,1\n0,1,home,1\n", "line 3: state 'home' among integers"),
        (HEAD + "0,0,home,1\n0,1,1,1\n", "line 3: state '1' among names"),
        (HEAD + "0,0,NaN,1\n", "line 2: state must be an integer or a name; got 'NaN'"),
        (HEAD + "0,0,1,0.5\n", "line 2: action must be an integer or a name; got '0.5'"),
        (HEAD + "0,0,,1\n", "line 2: state is empty"),
        (HEAD + "nan,0,1,1\n", "line 2: episode must have a name or number"),
        (HEAD + '0,0,"1,1\n', "not a row of a csv file"),
        (HEAD.encode() + b"0,0,\xff,1\n", "line 2: not text in UTF-8"),
        (HEAD + "0,0,1," + "1" * LONGEST_LINE + "\n", f"line 2: longer than {LONGEST_LINE} bytes"),
        ("episode,step,state,action,n_actions\n0,0,1,0,x\n", "line 2: n_actions must be an integer of at least 1"),
        ("episode,step,state,action,n_actions\n0,0,1,0,2\n0,1,1,0,3\n", "line 3: state '1' has 3 actions here and 2"),
    ],
)
def test_bad_data_are_refused_with_the_line_and_the_reason(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read(written(tmp_path, text), n_actions=2)


def test_a_line_that_is_too_long_is_not_read_to_its_end(tmp_path):
    path = tmp_path / "data.csv"
    with path.open("wb") as file:
        file.write(HEAD.encode() + b"0,0,1,")
        file.truncate(3 * 2**30)  # a hole: takes no room on the disk
    with pytest.raises(ValueError, match="line 2: longer than"):
        read(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("state,n_actions\na,0\n", "sizes.csv, line 2: n_actions must be an integer of at least 1; got '0'"),
        ("state,n_actions\na,2\na,3\n", "sizes.csv, line 3: state 'a' appears twice"),
        ("state,n_actions\nb,2\n", "data.csv, line 2: state 'a' is not in the file"),
        ("state,size\na,2\n", "sizes.csv, line 1: no column 'n_actions'"),
    ],
)
def test_a_bad_file_of_numbers_of_actions_is_refused(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read(written(tmp_path, HEAD + "0,0,a,u\n"), actions_file=written(tmp_path, text, "sizes.csv"))


def test_a_bad_npz_is_refused(tmp_path):
    row = {"episode": [0], "step": [0], "state": [0], "action": [0]}
    path = tmp_path / "data.npz"
    for change, message in (
        ({"action": np.array([{}], object)}, "not a complete npz file"),  # would need pickle
        ({"action": [0.5]}, "action must hold integers or text; its dtype is float64"),
        ({"action": [0, 1]}, "action must have one entry for each row"),
        ({"step": [-1]}, "row 0: step must be from 0"),
    ):
        np.savez(path, **{**row, **change})
        with pytest.raises(ValueError, match=message):
            read(path)
    np.savez(path, episode=[0])
    with pytest.raises(ValueError, match="has no array 'step'"):
        read(path)
    path.write_bytes(b"PK\x03\x04")
    with pytest.raises(ValueError, match="not a complete npz file"):
        read(path)


def test_a_bad_npz_of_trajectories_is_refused(tmp_path):
    table, path = np.zeros((3, 2), int), tmp_path / "data.npz"
    for states, message in (
        (table[0], "must have one shape"),
        (table[:2], "must have one shape"),
        (table.astype(float), "states must hold integers or text; its dtype is float64"),
        (np.asfortranarray(table), "must be stored in C order"),
    ):
        np.savez(path, states=states, actions=table)
        with pytest.raises(ValueError, match=message):
            read(path)


def npy(header, body):
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + body


@pytest.mark.parametrize(
    "member",
    [
        npy("{'descr': '<i8', 'fortran_order': False, 'shape': (2,)}", bytes(15)),  # too short
        npy("{'descr': '<i8', 'fortran_order': False, 'shape': (2,)}", bytes(17)),  # too long
        npy("{'descr': '|O', 'fortran_order': False, 'shape': (2,)}", bytes(16)),  # would need pickle
        b"\x93NUMPY\x09\x00" + bytes(40),  # a version of the future
        b"no array",
    ],
)
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_damaged_array_is_refused(tmp_path, member, method):
    path = tmp_path / "data.npz"
    good = npy("{'descr': '<i8', 'fortran_order': False, 'shape': (2,)}", bytes(8) + (1).to_bytes(8, "little"))
    for broken in (None, "state"):
        with zipfile.ZipFile(path, "w", method) as archive:
            for name in ("episode", "step", "state", "action"):
                archive.writestr(f"{name}.npy", member if name == broken else good)
        if broken is None:
            assert read(path).n_episodes == 2
        else:
            with pytest.raises(ValueError, match="not a complete npz file"):
                read(path)


def test_a_changed_byte_is_noticed(tmp_path):
    path = tmp_path / "data.npz"
    np.savez(path, **{name: np.arange(1000) for name in ("episode", "step", "state", "action")})
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 3] ^= 1
    path.write_bytes(whole)
    with pytest.raises(ValueError, match=r"data\.npz"):
        read(path)


def peak_memory(path):
    tracemalloc.start()
    try:
        read(path, n_actions=3)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("suffix", ["csv", "npz"])
def test_memory_grows_with_the_episodes_names_and_not_with_the_rows(tmp_path, suffix):
    peaks = []
    for n_steps in (6000, 200_000):  # the same steps, state and action, from 3 and from 100 episodes
        n = np.arange(n_steps)
        columns = {"episode": n // 2000, "step": n % 2000, "state": n * 0, "action": n * 0}
        path = tmp_path / f"{n_steps}.{suffix}"
        if suffix == "npz":
            np.savez_compressed(path, **columns)
        else:
            rows = "".join(f"{e},{h},0,0\n" for e, h in zip(columns["episode"], columns["step"], strict=True))
            path.write_text("episode,step,state,action\n" + rows)
        peaks.append(peak_memory(path))
    columns_in_one_piece = 4 * 8 * 194_000
    assert peaks[1] - peaks[0] < columns_in_one_piece / 4


def test_bad_arguments_of_the_reader_are_refused(tmp_path):
    path = written(tmp_path, HEAD + "0,0,1,1\n")
    with pytest.raises(ValueError, match="must end in"):
        read(tmp_path / "data.pkl")
    with pytest.raises(ValueError, match="exclude each other"):
        read(path, n_actions=2, actions_file=path)
    with pytest.raises(ValueError, match="n_folds must be at least 2; got 1"):
        read(path, n_folds=1)
    with pytest.raises(TypeError, match=r"rng must be a numpy\.random\.Generator"):
        read_tally(path, 0)
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "none.csv")
