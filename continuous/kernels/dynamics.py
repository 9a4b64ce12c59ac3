"""Compiled dynamics of the control tasks: one step of many episodes at once.

    states, out  (N, width) float64   one row per episode: `STATUS`, `TIME` (steps so far), columns of `five_tasks.py`
    actions      (N, D)               in [-1, 1]
    horizon                           steps until an episode runs out of time
    rewards      (N,)                 filled: 1 in the step that succeeds, else 0; minus the cost (linear-quadratic)

Kernels copy rows of ended episodes as they are, with reward 0, and raise nothing. A motion that is refused leaves the
state as it was, but the step counts. Not checked here: shapes, and that actions are finite and clipped.
"""

import math

from numba import njit

_jit = njit(cache=True, nogil=True)

STATUS, TIME = 0, 1
RUNNING, SUCCEEDED, FAILED, TIMED_OUT = 0.0, 1.0, 2.0, 3.0

STRIDE = 0.06
"""What an action of 1 moves in one step: length, or radians."""

LINK, ELBOW_LIMIT, SLOT, DEPTH = 0.5, -0.05, 0.022, 0.08
"""reach: length of both links, largest second angle, half-width of the slot, how far below the plate succeeds."""

LANE, LANE_BEGIN, LANE_END = 0.045, -0.2, 0.0
WALL, BEHIND_WALL, GATE = 0.8, 0.86, 0.045
"""corridor: half-width and ends of the lane, the wall, where it is passed, half-width of its gate."""

OPENING, UNSTUCK = 0.05, 0.5
"""stick: half-width of the opening, smallest sideways action that moves a mass which touches the wall."""

SWING, LEAK = 0.3, 0.7
"""stick with schedules: amplitude of a schedule, share of a coordinate's error that is left after a step."""

GRIP_STRIDE, TALL, ALIGNED, WIDE = 0.25, 0.08, 0.05, 0.13
CLOSED, OPEN, SPILL, CRUSH, LIFTED, TABLE = 0.4, 0.6, 0.05, 0.03, 0.35, 0.9
"""lift: change of the opening, the object's height, the misalignment that a grasp allows, the one from which the
gripper passes the object at its side; when the fingers hold and let go, from which height a fall ends the episode, from
which stroke down onto the object, the height that succeeds, half-length of the table."""

CONTACT, HOME = 0.17, 0.06
"""push: distance of the centres at contact, distance to the goal that succeeds."""


@_jit
def _close(status, horizon, row, rewards, i):
    """Count the step, and end the episode where it succeeded, failed or ran out of time."""
    row[TIME] += 1.0
    if status == RUNNING and row[TIME] >= horizon:  # success or failure in the last step is not a timeout
        status = TIMED_OUT
    row[STATUS] = status
    rewards[i] = 1.0 if status == SUCCEEDED else 0.0


# --- reach: angles q1, q2, height of the plate, centre of the slot ---------------------------------------------------


@_jit
def _reach(row, action):
    q1 = row[2] + STRIDE * action[0]
    q2 = min(row[3] + STRIDE * action[1], ELBOW_LIMIT)
    x = LINK * math.cos(q1) + LINK * math.cos(q1 + q2)
    z = LINK * math.sin(q1) + LINK * math.sin(q1 + q2)
    if z < row[4] and abs(x - row[5]) > SLOT:
        return RUNNING
    row[2] = q1
    row[3] = q2
    return SUCCEEDED if z <= row[4] - DEPTH else RUNNING


@_jit
def reach(states, actions, horizon, out, rewards):
    """Move the arm; a motion that ends below the plate outside the slot is refused."""
    for i in range(states.shape[0]):
        out[i] = states[i]
        rewards[i] = 0.0
        if states[i, STATUS] == RUNNING:
            _close(_reach(out[i], actions[i]), horizon, out[i], rewards, i)


# --- corridor: x, y, centre of the gate ------------------------------------------------------------------------------


@_jit
def _corridor(row, action):
    x = row[2] + STRIDE * action[0]
    y = row[3] + STRIDE * action[1]
    if x > WALL and abs(y - row[4]) > GATE:
        return RUNNING
    row[2] = x
    row[3] = y
    if LANE_BEGIN < x < LANE_END and abs(y) > LANE:
        return FAILED
    return SUCCEEDED if x > BEHIND_WALL else RUNNING


@_jit
def corridor(states, actions, horizon, out, rewards):
    """Move the mass; leaving the lane ends the episode, a motion into the wall next to its gate is refused."""
    for i in range(states.shape[0]):
        out[i] = states[i]
        rewards[i] = 0.0
        if states[i, STATUS] == RUNNING:
            _close(_corridor(out[i], actions[i]), horizon, out[i], rewards, i)


# --- stick: x, y, context, centre of the opening ---------------------------------------------------------------------


@_jit
def _stick(row, action, lane):
    x, y, centre = row[2], row[3], row[5]
    if x >= WALL and abs(y - centre) > OPENING and abs(action[1]) < UNSTUCK:
        return RUNNING
    new_x = x + STRIDE * action[0]
    new_y = y + STRIDE * action[1]
    if new_x > WALL and abs(new_y - centre) > OPENING:
        if x > WALL:  # inside the opening: its sides hold
            return RUNNING
        new_x = WALL
    row[2] = new_x
    row[3] = new_y
    if new_x < 0.0 and abs(new_y) > lane:
        return FAILED
    return SUCCEEDED if new_x > BEHIND_WALL else RUNNING


@_jit
def stick(states, actions, horizon, out, rewards):
    """Move the mass; leaving the passage ends the episode, and a mass that touches the wall sticks to it."""
    for i in range(states.shape[0]):
        out[i] = states[i]
        rewards[i] = 0.0
        if states[i, STATUS] == RUNNING:
            _close(_stick(out[i], actions[i], LANE), horizon, out[i], rewards, i)


# --- stick with schedules: as stick, then an accumulated error for each further action -------------------------------


@_jit
def _schedule(x, j):
    """Action that coordinate j asks for at x: waves of five lengths, no two coordinates in phase."""
    return SWING * math.sin(2.0 * math.pi * x / (3.0 + 0.5 * (j % 5)) + 1.3 * j)


@_jit
def schedules(x, out):
    """Fill out (N, d - 2) with the further actions that are asked for at x (N,)."""
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = _schedule(x[i], j)


@_jit
def stick_with_schedules(states, actions, lane, tube, everywhere, horizon, out, rewards):
    """Move the mass as `stick` does; an accumulated error beyond `tube` ends the episode, in the lane or everywhere."""
    for i in range(states.shape[0]):
        out[i] = states[i]
        rewards[i] = 0.0
        if states[i, STATUS] != RUNNING:
            continue
        row = out[i]
        x = row[2]  # a schedule is read where the step begins
        status = _stick(row, actions[i], lane)
        for j in range(actions.shape[1] - 2):
            row[6 + j] = LEAK * row[6 + j] + STRIDE * (actions[i, 2 + j] - _schedule(x, j))
            if abs(row[6 + j]) > tube and (everywhere or row[2] < 0.0):
                status = FAILED  # also in a step that would have succeeded
        _close(status, horizon, row, rewards, i)


# --- lift: gripper x, z, opening; object x, z, held ------------------------------------------------------------------


@_jit
def _carry(row, x, z):
    """Move gripper and held object together; fingers that open let it fall."""
    row[5] += x - row[2]
    row[6] = max(0.0, row[6] + z - row[3])
    row[2] = x
    row[3] = z
    if row[4] >= OPEN:
        row[7] = 0.0
        if row[6] > SPILL:
            return FAILED
        row[6] = 0.0
    elif row[6] >= LIFTED:
        return SUCCEEDED
    return RUNNING


@_jit
def _approach(row, x, z):
    """Move the gripper that holds nothing: past the object, around it, against it; onto it is refused, or crushes."""
    side = row[2] - row[5]
    offset = x - row[5]
    inside = row[3] < TALL and abs(side) <= ALIGNED
    if z < TALL:
        if inside:  # the fingers drag the object along
            row[5] += offset - min(max(offset, -ALIGNED), ALIGNED)
        elif row[3] >= TALL:  # coming down
            if abs(offset) < WIDE and (abs(offset) > ALIGNED or row[4] < OPEN):
                return FAILED if row[3] - z > CRUSH else RUNNING
            inside = abs(offset) <= ALIGNED
        elif side > 0.0:  # pushing from outside
            row[5] = min(row[5], x - WIDE)
        else:
            row[5] = max(row[5], x + WIDE)
        if inside and row[4] <= CLOSED:
            row[7] = 1.0
    row[2] = x
    row[3] = z
    return FAILED if abs(row[5]) > TABLE else RUNNING


@_jit
def _lift(row, action):
    row[4] = min(max(row[4] + GRIP_STRIDE * action[2], 0.0), 1.0)
    x = row[2] + STRIDE * action[0]
    z = max(row[3] + STRIDE * action[1], 0.0)
    if row[7] == 1.0:
        return _carry(row, x, z)
    return _approach(row, x, z)


@_jit
def lift(states, actions, horizon, out, rewards):
    """Open or close the fingers, then move the gripper with whatever it holds or pushes."""
    for i in range(states.shape[0]):
        out[i] = states[i]
        rewards[i] = 0.0
        if states[i, STATUS] == RUNNING:
            _close(_lift(out[i], actions[i]), horizon, out[i], rewards, i)


# --- push: disc x, y; block x, y; goal x, y --------------------------------------------------------------------------


@_jit
def _push(row, action):
    x = row[2] + STRIDE * action[0]
    y = row[3] + STRIDE * action[1]
    dx = row[4] - x
    dy = row[5] - y
    distance = math.sqrt(dx * dx + dy * dy)
    row[2] = x
    row[3] = y
    if 0.0 < distance < CONTACT:  # 0 cannot come about: the longest stride is half of the contact distance
        row[4] = x + dx * (CONTACT / distance)
        row[5] = y + dy * (CONTACT / distance)
    gx = row[4] - row[6]
    gy = row[5] - row[7]
    return SUCCEEDED if gx * gx + gy * gy <= HOME * HOME else RUNNING


@_jit
def push(states, actions, horizon, out, rewards):
    """Move the disc; a block that it would overlap gives way along the line of centres, without inertia."""
    for i in range(states.shape[0]):
        out[i] = states[i]
        rewards[i] = 0.0
        if states[i, STATUS] == RUNNING:
            _close(_push(out[i], actions[i]), horizon, out[i], rewards, i)


# --- linear-quadratic: the vector x ----------------------------------------------------------------------------------


@_jit
def _quadratic(matrix, x):
    total = 0.0
    for j in range(x.size):
        for k in range(x.size):
            total += x[j] * matrix[j, k] * x[k]
    return total


@_jit
def linear_quadratic(states, actions, A, B, Q, R, tolerance, horizon, out, rewards):
    """Move to x' = A x + B u at the cost x'^T Q x' + u^T R u; success is a last x' no longer than `tolerance`."""
    d = A.shape[0]
    for i in range(states.shape[0]):
        out[i] = states[i]
        rewards[i] = 0.0
        if states[i, STATUS] != RUNNING:
            continue
        x = out[i, 2:]
        for j in range(d):
            total = 0.0
            for k in range(d):
                total += A[j, k] * states[i, 2 + k]
            for k in range(B.shape[1]):
                total += B[j, k] * actions[i, k]
            x[j] = total
        out[i, TIME] += 1.0
        if out[i, TIME] >= horizon:
            size = 0.0
            for j in range(d):
                size += x[j] * x[j]
            out[i, STATUS] = SUCCEEDED if size <= tolerance * tolerance else TIMED_OUT
        rewards[i] = -_quadratic(Q, x) - _quadratic(R, actions[i])
