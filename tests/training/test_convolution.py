"""The way back through a network, against differences; and what is left of it in a model."""

from __future__ import annotations

import numpy as np
import pytest

from asmr_classify.features.encoder import Kernel
from asmr_classify.training.convolution import Adam, Convolution, Head, TrainedNetwork
from asmr_classify.training.spec import EncoderSpec

STEP = 1e-2
SMALL = EncoderSpec(width=2, texture_width=3, codes=5, dropped_share=0.0)


@pytest.mark.parametrize(
    "kernel",
    [
        Kernel((5, 5), (2, 2), (2, 2)),
        Kernel((3, 3), (1, 2), (1, 1)),
        Kernel((4, 1), (2, 1), (1, 0)),
    ],
)
def test_gradients_are_those_of_differences(kernel, rng):
    convolution = Convolution(kernel, 2, 3, rng)
    # What is negative before it is rectified stays so under small changes: nothing is kinked.
    convolution.values["bias"] += 6
    x = rng.normal(size=(2, 12, 10, 2)).astype(np.float32)
    slope = rng.normal(size=convolution.forward(x).shape).astype(np.float32)
    of_inputs = convolution.backward(slope)
    found = {**convolution.slopes, "input": of_inputs}
    given = {**convolution.values, "input": x}

    def loss():
        return float((convolution.forward(x).astype(np.float64) * slope).sum())

    for name, values in given.items():
        way, before = rng.normal(size=values.shape).astype(np.float32), values.copy()
        values[...] = before + STEP * way
        above = loss()
        values[...] = before - STEP * way
        below = loss()
        values[...] = before
        expected = float((found[name] * way).sum())
        assert (above - below) / (2 * STEP) == pytest.approx(expected, rel=0.02, abs=0.05)


def test_a_kernel_sees_what_a_convolution_by_hand_does(rng):
    kernel = Kernel((3, 2), (2, 1), (1, 0))
    x = rng.normal(size=(1, 5, 4, 2)).astype(np.float32)
    columns = kernel.columns(x)
    assert columns.shape == (1, 3, 3, 12)
    padded = np.pad(x, ((0, 0), (1, 1), (0, 0), (0, 0)))
    for place in range(3):
        for band in range(3):
            seen = padded[0, 2 * place : 2 * place + 3, band : band + 2]
            assert np.array_equal(columns[0, place, band], seen.ravel())


def test_a_few_steps_leave_an_encoder_that_says_what_the_network_said(rng):
    network = TrainedNetwork(48, (3,), SMALL, rng)
    spectral = rng.normal(size=(12, 64, 48)).astype(np.float32)
    envelopes = rng.normal(size=(12, 256, 12)).astype(np.float32)
    for _ in range(3):
        (said,) = network.forward(spectral, envelopes)
    codes = network.encoder(48)._encode(spectral, envelopes)
    assert np.allclose(network.heads[0].network().predict_logits(codes), said, atol=0.02)


def test_gradients_go_all_the_way_back(rng):
    network = TrainedNetwork(48, (3,), SMALL, rng)
    spectral = rng.normal(size=(12, 64, 48)).astype(np.float32)
    envelopes = rng.normal(size=(12, 256, 12)).astype(np.float32)
    slope = rng.normal(size=(12, 3)).astype(np.float32)

    def loss():
        (said,) = network.forward(spectral, envelopes)
        return float((said.astype(np.float64) * slope).sum())

    loss()
    network.backward([slope])
    found = [{name: each.copy() for name, each in x.slopes.items()} for x in network.fitted()]
    for layer, slopes in zip(network.fitted(), found, strict=True):
        for name, values in layer.values.items():
            # Far along the steepest way the loss rises by as much as the gradient says.
            before, way = values.copy(), slopes[name] / np.linalg.norm(slopes[name])
            values[...] = before + 1e-3 * way
            above = loss()
            values[...] = before - 1e-3 * way
            below = loss()
            values[...] = before
            rise = float(np.linalg.norm(slopes[name]))
            assert (above - below) / 2e-3 == pytest.approx(rise, rel=0.1)


def test_the_network_goes_downhill_and_its_encoder_says_what_it_said(rng):
    network = TrainedNetwork(48, (3,), SMALL, rng)
    adam = Adam(network.fitted(), 0.0)
    spectral = rng.normal(size=(12, 64, 48)).astype(np.float32)
    envelopes = rng.normal(size=(12, 256, 12)).astype(np.float32)
    target = rng.normal(size=(12, 3)).astype(np.float32)
    losses = []
    for _ in range(150):
        (said,) = network.forward(spectral, envelopes)
        losses.append(float(np.square(said - target).mean()))
        network.backward([2 * (said - target) / said.size])
        adam.step(3e-3)
    assert losses[-1] < 0.2 * losses[0]
    encoder = network.encoder(48)
    assert encoder.width == 5
    (said,) = network.forward(spectral, envelopes)
    codes = encoder._encode(spectral, envelopes)
    # Running means and variances lag behind those of the last step.
    again = network.heads[0].network().predict_logits(codes)
    assert np.corrcoef(again.ravel(), said.ravel())[0, 1] > 0.99


def test_weights_decay_and_biases_do_not(rng):
    head = Head(4, 2, rng)
    head.values["bias"] += 1
    before = {name: values.copy() for name, values in head.values.items()}
    head.slopes = {name: np.zeros_like(values) for name, values in head.values.items()}
    Adam([head], 0.5).step(0.1)
    assert np.allclose(head.values["weight"], 0.95 * before["weight"])
    assert np.array_equal(head.values["bias"], before["bias"])
