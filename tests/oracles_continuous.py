"""Slow and plain versions of the control tasks, written from their description. Standard library only.

Each function takes one state without status and time, and one action in [-1, 1], both lists; it returns the next state
and "", "success" or "failure".
"""

import math


def clip(value, low, high):
    return low if value < low else high if value > high else value


def arm(q1, q2):
    """Tip of two links of 0.5, by complex numbers."""
    elbow = 0.5 * complex(math.cos(q1), math.sin(q1))
    hand = elbow + elbow * complex(math.cos(q2), math.sin(q2))
    return hand.real, hand.imag


def reach(state, action):
    q1, q2, plate, slot = state
    new1 = q1 + 0.06 * action[0]
    new2 = min(q2 + 0.06 * action[1], -0.05)
    x, z = arm(new1, new2)
    through = slot - 0.022 <= x <= slot + 0.022
    if z < plate and not through:
        return state, ""
    return [new1, new2, plate, slot], "success" if z <= plate - 0.08 else ""


def corridor(state, action):
    x, y, gate = state
    new = [x + 0.06 * action[0], y + 0.06 * action[1], gate]
    if new[0] > 0.8 and not abs(new[1] - gate) <= 0.045:
        return state, ""
    if -0.2 < new[0] < 0 and not abs(new[1]) <= 0.045:
        return new, "failure"
    return new, "success" if new[0] > 0.86 else ""


def stick(state, action):
    x, y, context, opening = state
    stays_in = [x + 0.06 * action[0], y + 0.06 * action[1], context, opening]

    def free(height):
        return abs(height - opening) <= 0.05

    touching = x >= 0.8 and not free(y)
    if touching and abs(action[1]) < 0.5:
        return state, ""
    if stays_in[0] > 0.8 and not free(stays_in[1]):
        if x > 0.8:
            return state, ""
        return [0.8, *stays_in[1:]], ""
    if stays_in[0] < 0 and abs(stays_in[1]) > 0.045:
        return stays_in, "failure"
    return stays_in, "success" if stays_in[0] > 0.86 else ""


def lift(state, action):
    x, z, opening, ox, oz, held = state
    opening = clip(opening + 0.25 * action[2], 0.0, 1.0)
    to_x, to_z = x + 0.06 * action[0], max(z + 0.06 * action[1], 0.0)
    if held:
        new_oz = max(0.0, oz + (to_z - z))
        new_ox = ox + (to_x - x)
        if opening >= 0.6:
            return (
                ([to_x, to_z, opening, new_ox, new_oz, 0.0], "failure")
                if new_oz > 0.05
                else ([to_x, to_z, opening, new_ox, 0.0, 0.0], "")
            )
        return [to_x, to_z, opening, new_ox, new_oz, 1.0], "success" if new_oz >= 0.35 else ""
    around = False
    if to_z < 0.08:
        if z < 0.08:
            around = abs(x - ox) <= 0.05
            if around and to_x - ox > 0.05:
                ox += (to_x - ox) - 0.05
            elif around and to_x - ox < -0.05:
                ox += (to_x - ox) + 0.05
            elif not around and x > ox:
                ox = min(ox, to_x - 0.13)
            elif not around:
                ox = max(ox, to_x + 0.13)
        else:
            off = abs(to_x - ox)
            around = off <= 0.05
            blocked = (around and opening < 0.6) or 0.05 < off < 0.13
            if blocked:
                return [x, z, opening, ox, oz, 0.0], "failure" if z - to_z > 0.03 else ""
    grasped = 1.0 if around and opening <= 0.4 else 0.0
    return [to_x, to_z, opening, ox, oz, grasped], "failure" if abs(ox) > 0.9 else ""


def push(state, action):
    disc = complex(state[0] + 0.06 * action[0], state[1] + 0.06 * action[1])
    block, goal = complex(*state[2:4]), complex(*state[4:6])
    gap = block - disc
    if 0 < abs(gap) < 0.17:
        block = disc + 0.17 * gap / abs(gap)
    new = [disc.real, disc.imag, block.real, block.imag, goal.real, goal.imag]
    return new, "success" if abs(block - goal) <= 0.06 else ""


def wave(x, j):
    """What coordinate j of stick with schedules asks for at x, as the real part of a turning arrow."""
    length = (3.0, 3.5, 4.0, 4.5, 5.0)[j % 5]
    turned = 2 * math.pi * (x / length - 0.25) + 1.3 * j
    return 0.3 * complex(math.cos(turned), math.sin(turned)).real


def stick_with_schedules(lane, tube, everywhere):
    """The function for one version of the task: stick with another lane, and a leaky sum of errors for each wave."""

    def one_step(state, action):
        mass, outcome = stick(state[:4], action[:2])
        if outcome != "success":
            outcome = "failure" if mass[0] < 0 and abs(mass[1]) > lane else ""
        errors = []
        for j, (before, a) in enumerate(zip(state[4:], action[2:], strict=True)):
            errors.append(0.7 * before + 0.06 * (a - wave(state[0], j)))
            if abs(errors[-1]) > tube and (everywhere or mass[0] < 0):
                outcome = "failure"
        return [*mass, *errors], outcome

    return one_step


def tip_of_chain(angles):
    """Tip of an arm of equal links of total length 1, by complex numbers."""
    arrow, tip = complex(1 / len(angles), 0), 0j
    for angle in angles:
        arrow *= complex(math.cos(angle), math.sin(angle))
        tip += arrow
    return tip.real, tip.imag


def planar_arm(state, action):
    *angles, plate, slot = state
    turned = [q + 0.06 * a for q, a in zip(angles, action, strict=True)]
    x, z = tip_of_chain(turned)
    if z < plate and not slot - 0.01 <= x <= slot + 0.01:
        return state, ""
    return [*turned, plate, slot], "success" if z <= plate - 0.08 else ""


STEPS = {"reach": reach, "corridor": corridor, "lift": lift, "push": push, "stick": stick}


def step(task, horizon, state, action):
    """Whole step of one row with status and time: the next row, reward, ended, success. `task` may be a function."""
    if state[0] != 0:
        return list(state), 0.0, True, state[0] == 1
    body, outcome = STEPS.get(task, task)(list(state[2:]), [clip(a, -1.0, 1.0) for a in action])
    time = state[1] + 1
    status = {"success": 1.0, "failure": 2.0, "": 3.0 if time >= horizon else 0.0}[outcome]
    return [status, time, *body], float(outcome == "success"), status != 0, outcome == "success"


def linear_return(A, B, Q, R, state, actions):
    """Return of these actions from x: minus the sum of x'^T Q x' + u^T R u."""

    def form(matrix, v):
        return sum(v[i] * matrix[i][j] * v[j] for i in range(len(v)) for j in range(len(v)))

    total = 0.0
    for u in actions:
        state = [
            sum(a * s for a, s in zip(row, state, strict=True)) + sum(b * c for b, c in zip(push_, u, strict=True))
            for row, push_ in zip(A, B, strict=True)
        ]
        total -= form(Q, state) + form(R, u)
    return total, state


def slope(function, at, step=1e-6):
    """Central differences of a function of a list of numbers, one for each."""
    slopes = []
    for k in range(len(at)):
        up, down = list(at), list(at)
        up[k] += step
        down[k] -= step
        slopes.append((function(up) - function(down)) / (2 * step))
    return slopes
