"""Compiled dynamics of the planar arm with d joints: one step of many episodes at once.

    states, out  (N, d + 4) float64   `STATUS`, `TIME`, the joint angles, height of the plate, centre of its slot
    actions      (N, d)               in [-1, 1]
    tips         (N, 2)               filled: the tip of each arm
    horizon, rewards                  as in `dynamics.py`

Angle j turns link j against link j - 1; all links are 1/d long, and the shoulder is the origin. Rows of ended episodes
are copied, with reward 0. Not checked here: shapes, and that actions are finite and clipped.
"""

import math

from numba import njit

_jit = njit(cache=True, nogil=True)

STATUS, TIME = 0, 1
RUNNING, SUCCEEDED, FAILED, TIMED_OUT = 0.0, 1.0, 2.0, 3.0

STRIDE = 0.06
"""Radians by which an action of 1 turns a joint in one step."""

SLOT, DEPTH = 0.01, 0.08
"""Half-width of the slot, how far below the plate succeeds."""


@_jit
def _close(status, horizon, row, rewards, i):
    """Count the step, and end the episode where it succeeded, failed or ran out of time."""
    row[TIME] += 1.0
    if status == RUNNING and row[TIME] >= horizon:  # success or failure in the last step is not a timeout
        status = TIMED_OUT
    row[STATUS] = status
    rewards[i] = 1.0 if status == SUCCEEDED else 0.0


@_jit
def _tip(angles, turned):
    """Tip of the arm after its joints have turned by STRIDE times `turned`."""
    x = 0.0
    z = 0.0
    angle = 0.0
    for j in range(angles.size):
        angle += angles[j] + STRIDE * turned[j]
        x += math.cos(angle)
        z += math.sin(angle)
    return x / angles.size, z / angles.size


@_jit
def tips(states, still, out):
    """Fill out (N, 2) with the tips of the arms; `still` (d,) holds zeros."""
    d = still.size
    for i in range(states.shape[0]):
        out[i, 0], out[i, 1] = _tip(states[i, 2 : 2 + d], still)


@_jit
def advance(states, actions, horizon, out, rewards):
    """Turn the joints; a motion whose tip ends below the plate outside the slot is refused."""
    d = actions.shape[1]
    for i in range(states.shape[0]):
        out[i] = states[i]
        rewards[i] = 0.0
        if states[i, STATUS] != RUNNING:
            continue
        row = out[i]
        x, z = _tip(row[2 : 2 + d], actions[i])
        plate = row[2 + d]
        status = RUNNING
        if z >= plate or abs(x - row[3 + d]) <= SLOT:
            for j in range(d):
                row[2 + j] += STRIDE * actions[i, j]
            if z <= plate - DEPTH:
                status = SUCCEEDED
        _close(status, horizon, row, rewards, i)
