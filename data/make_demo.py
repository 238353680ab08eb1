#!/usr/bin/env python3
"""Synthesise the clips of ``data/demo`` and their manifest.

usage: make_demo.py [--output DIR]

Twelve short clips whose truth is known because they are made, one function a kind of sound. They
serve demonstration and tests; the shipped model is not fitted on them. The same seed gives the
same samples.

Ideas
-----
taps        damped resonators, struck: Gaver (1993), How do we hear in the world?; van den Doel and
            Pai (1998), The sounds of physical objects, Presence 7(4)
crinkles    a Poisson stream of tiny broadband clicks: Cook (1997), Physically informed sonic
            modeling (PhISM), Computer Music Journal 21(3)
whispers    noise through moving formants: Klatt (1980), Software for a cascade/parallel formant
            synthesizer, JASA 67(3); formants of whispered vowels lie some 10 % above the voiced
            ones of Peterson and Barney (1952), JASA 24(2)
"""

from __future__ import annotations

import argparse
import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
from scipy import fft, signal

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Samples = NDArray[np.float64]

SR = 32000
SECONDS = 6.0
N_SAMPLES = int(SR * SECONDS)
SEED = 20240229

VOWELS_HZ = (
    (730, 1090, 2440),
    (270, 2290, 3010),
    (300, 870, 2240),
    (530, 1840, 2480),
    (570, 840, 2410),
)
"""First three formants of male /a i u e o/, Peterson and Barney (1952)."""

ROOM_DB = -72.0
"""Level of the room's tone under every clip but the silent one."""


def shaped_noise(rng: np.random.Generator, gain: Callable[[Samples], Samples]) -> Samples:
    """Noise with a given gain over frequency in Hz, of mean square 1."""
    spectrum = fft.rfft(rng.standard_normal(N_SAMPLES))
    y = fft.irfft(spectrum * gain(np.maximum(fft.rfftfreq(N_SAMPLES, 1 / SR), 1.0)), N_SAMPLES)
    return y / np.sqrt(np.mean(y**2))


def band(low_hz: float, high_hz: float, tilt_db: float = 0.0) -> Callable[[Samples], Samples]:
    """Gain of a soft band with a tilt in dB an octave."""

    def gain(hz: Samples) -> Samples:
        edges = 1 / (1 + (low_hz / hz) ** 4) / (1 + (hz / high_hz) ** 4)
        return edges * 10 ** (tilt_db * np.log2(hz / 1000) / 20)

    return gain


def strike_times(rng: np.random.Generator, rate: float, spread: float) -> NDArray[np.int64]:
    """Draw times of a tapping hand, in samples; intervals vary by ``spread`` octaves."""
    gaps = 2 ** rng.normal(0, spread, int(2 * SECONDS * rate)) / rate
    times = np.cumsum(gaps) * SR
    return times[times < N_SAMPLES - SR // 4].astype(np.int64)


@dataclass(frozen=True)
class Body:
    """A thing that rings when struck: modes in Hz, decay in seconds, and the finger's click."""

    modes_hz: tuple[float, ...]
    decay: float
    click: float
    click_hz: tuple[float, float]


WOOD = Body((310, 720, 1240, 2050, 3300), 0.018, 0.7, (600, 7000))
KEYS = Body((1450, 2400, 3900, 5600), 0.006, 1.0, (1200, 11000))


def taps(rng: np.random.Generator, *, body: Body, rate: float, spread: float) -> Samples:
    """Strikes on a body, each a little different in force and place."""
    y = np.zeros(N_SAMPLES)
    t = np.arange(SR // 5) / SR
    clicks = shaped_noise(rng, band(*body.click_hz))
    for start in strike_times(rng, rate, spread):
        modes = np.array(body.modes_hz) * 2 ** rng.normal(0, 0.03)
        gains = rng.uniform(0.2, 1, len(modes)) / np.arange(1, len(modes) + 1)
        decays = body.decay * (modes[0] / modes) ** 0.5
        ringing = gains @ (np.sin(2 * np.pi * modes[:, None] * t) * np.exp(-t / decays[:, None]))
        contact = clicks[start : start + len(t)] * np.exp(-t / 0.0025)
        force = 10 ** (rng.normal(0, 3) / 20)
        y[start : start + len(t)] += force * (ringing + body.click * contact)
    return y


def crinkles(
    rng: np.random.Generator, *, rate: float, low_hz: float, high_hz: float, moves: float
) -> Samples:
    """Make a Poisson stream of clicks whose rate follows the hand, with heavy-tailed strength."""
    t = np.arange(N_SAMPLES) / SR
    hand = np.clip(shaped_noise(rng, band(0.3, moves)), 0, None) ** 1.3
    hand = 0.08 + hand / hand.mean()
    y = np.zeros(N_SAMPLES)
    length = SR // 50
    ticks = np.arange(length) / SR
    for start in np.flatnonzero(rng.random(N_SAMPLES) < hand * rate / SR):
        if start + length >= N_SAMPLES:
            continue
        centre = np.exp(rng.uniform(np.log(low_hz), np.log(high_hz)))
        decay = rng.uniform(0.3, 1.6) * 1e-3
        tick = rng.standard_normal(length) * 0.6 + np.sin(2 * np.pi * centre * ticks)
        y[start : start + length] += (rng.pareto(2.2) + 0.05) * tick * np.exp(-ticks / decay)
    rustle = shaped_noise(rng, band(low_hz, high_hz)) * hand * 0.02 * np.abs(y).max()
    return y + rustle + 0 * t


def syllables(rng: np.random.Generator, rate: float) -> tuple[Samples, NDArray[np.int64]]:
    """Loudness of talk at a syllable rate with pauses for breath, and the vowel at each sample."""
    envelope = np.zeros(N_SAMPLES)
    vowel = np.zeros(N_SAMPLES, dtype=np.int64)
    start = int(0.1 * SR)
    while start < N_SAMPLES:
        length = int(SR / rate * 2 ** rng.normal(0, 0.3))
        end = min(start + length, N_SAMPLES)
        envelope[start:end] = signal.windows.tukey(length, 0.7)[: end - start] * rng.uniform(0.5, 1)
        vowel[start:end] = rng.integers(len(VOWELS_HZ))
        start = end + int(SR * (rng.uniform(0.3, 0.6) if rng.random() < 0.15 else 0.03))
    return envelope, vowel


def formants(source: Samples, vowel: NDArray[np.int64], *, shift: float, width: float) -> Samples:
    """Filter a source by each vowel's formants, and fade from vowel to vowel."""
    smooth = signal.windows.hann(int(0.06 * SR))
    y = np.zeros(N_SAMPLES)
    for k, peaks_hz in enumerate(VOWELS_HZ):
        fade = signal.fftconvolve((vowel == k).astype(float), smooth / smooth.sum(), mode="same")
        voice = np.zeros(N_SAMPLES)
        for gain, hz in zip((1.0, 0.7, 0.5), peaks_hz, strict=True):
            b, a = signal.iirpeak(hz * shift, hz * shift / (width * (60 + 0.05 * hz)), fs=SR)
            voice += gain * signal.lfilter(b, a, source)
        y += fade * voice
    return y


def whispers(rng: np.random.Generator, *, rate: float, shift: float) -> Samples:
    """Breath through moving formants, hissing consonants between them, and no voice at all."""
    envelope, vowel = syllables(rng, rate)
    breath = shaped_noise(rng, band(300, 9000, -2.0))
    voice = formants(breath, vowel, shift=shift, width=2.5)
    voice /= np.sqrt(np.mean(voice**2))
    onsets = np.flatnonzero(np.diff((envelope > 0.02).astype(int)) == 1)
    hiss = np.zeros(N_SAMPLES)
    for start in onsets[rng.random(len(onsets)) < 0.6]:
        length = int(rng.uniform(0.05, 0.13) * SR)
        first = max(0, start - length // 2)
        hiss[first : first + length] += signal.windows.hann(length)[: N_SAMPLES - first]
    sharp = shaped_noise(rng, band(rng.uniform(3500, 5000), 9500))
    return envelope * (voice + 0.25 * breath) + 0.9 * hiss * sharp


def talk(rng: np.random.Generator, *, pitch_hz: float) -> Samples:
    """Make a voice: glottal pulses with a moving pitch through the same formants."""
    envelope, vowel = syllables(rng, 4.0)
    wander = shaped_noise(rng, band(0.2, 3.0))
    phase = np.cumsum(pitch_hz * 2 ** (0.15 * wander) / SR)
    pulses = np.diff(np.floor(phase), prepend=0.0)
    source = signal.lfilter([1.0], [1.0, -0.92], pulses)
    return envelope * formants(source, vowel, shift=1.0, width=1.2)


def melody(rng: np.random.Generator) -> Samples:
    """Play notes of a pentatonic scale with six partials, over a held chord."""
    t = np.arange(N_SAMPLES) / SR
    scale = 220 * 2 ** (np.array([0, 2, 4, 7, 9, 12, 14]) / 12)
    y = 0.25 * sum(
        np.sin(2 * np.pi * hz * k * t) / k**2 for hz in scale[[0, 2, 3]] for k in (1, 2, 3)
    )
    for start in np.arange(0, SECONDS - 0.1, 0.375):
        hz = rng.choice(scale) * 2
        note = np.where(t >= start, np.exp(-(t - start) / 0.4), 0)
        note *= np.clip((t - start) / 0.01, 0, 1)
        y = y + note * sum(np.sin(2 * np.pi * hz * k * (t - start)) / k**1.5 for k in range(1, 7))
    return y


def rain(rng: np.random.Generator) -> Samples:
    """Make a steady hiss with many faint drops in it."""
    hiss = shaped_noise(rng, band(300, 12000, -3.0))
    drops = np.where(rng.random(N_SAMPLES) < 600 / SR, rng.exponential(1.0, N_SAMPLES), 0.0)
    pattern = np.exp(-np.arange(200) / 40) * np.sin(2 * np.pi * 2500 * np.arange(200) / SR)
    pitter = signal.fftconvolve(drops, pattern)[:N_SAMPLES]
    return hiss + 0.25 * pitter / np.sqrt(np.mean(pitter**2))


def steady(rng: np.random.Generator, *, tilt_db: float, high_hz: float) -> Samples:
    """Noise with a tilt, as of a fan or a generator."""
    return shaped_noise(rng, band(60, high_hz, tilt_db))


def whisper_over_rain(rng: np.random.Generator) -> Samples:
    """Two sounds at once: labels are independent."""
    voice, hiss = whispers(rng, rate=4.0, shift=1.12), rain(rng)
    voice /= np.sqrt(np.mean(voice**2))
    return voice + 0.4 * hiss / np.sqrt(np.mean(hiss**2))


@dataclass(frozen=True)
class DemoClip:
    """One clip: its name, truth, level, and how it is made."""

    name: str
    trigger: str
    label: str
    level_db: float
    make: Callable[[np.random.Generator], Samples]


CLIPS = (
    DemoClip("tap-wood", "tap", "tap", -32, lambda g: taps(g, body=WOOD, rate=4.5, spread=0.2)),
    DemoClip("tap-keys", "tap", "typing", -38, lambda g: taps(g, body=KEYS, rate=6.5, spread=0.5)),
    DemoClip("crinkle-plastic", "crinkle", "crinkle", -34,
             lambda g: crinkles(g, rate=320, low_hz=1500, high_hz=10000, moves=3.0)),
    DemoClip("crinkle-paper", "crinkle", "paper_rustle", -40,
             lambda g: crinkles(g, rate=700, low_hz=900, high_hz=8000, moves=5.0)),
    DemoClip("noise-pink", "white_noise", "pink_noise", -36,
             lambda g: steady(g, tilt_db=-3.0, high_hz=15000)),
    DemoClip("noise-fan", "white_noise", "fan", -42,
             lambda g: steady(g, tilt_db=-5.0, high_hz=8000)),
    DemoClip("whisper-slow", "whisper", "whisper", -44,
             lambda g: whispers(g, rate=3.2, shift=1.1)),
    DemoClip("whisper-quick", "whisper", "whisper", -50,
             lambda g: whispers(g, rate=4.6, shift=1.2)),
    DemoClip("whisper-over-rain", "whisper,white_noise", "whisper", -40, whisper_over_rain),
    DemoClip("none-melody", "none", "music", -30, melody),
    DemoClip("none-talk", "none", "speech", -34, lambda g: talk(g, pitch_hz=118)),
    DemoClip("none-silence", "none", "silence", -np.inf, lambda _g: np.zeros(N_SAMPLES)),
)  # fmt: skip


def synthesise(index: int) -> NDArray[np.int16]:
    """Make one clip, with the room's tone under it, as 16-bit samples."""
    clip = CLIPS[index]
    rng = np.random.default_rng([SEED, index])
    y = clip.make(rng)
    power = np.mean(y**2)
    if power == 0:
        return np.zeros(N_SAMPLES, dtype=np.int16)
    y = y / np.sqrt(power) * 10 ** (clip.level_db / 20)
    y += shaped_noise(rng, band(40, 6000, -4.0)) * 10 ** (ROOM_DB / 20)
    return np.round(np.clip(y, -1, 1) * 32767).astype(np.int16)


def write_flac(path: Path, samples: NDArray[np.int16]) -> None:
    """Write mono 16-bit FLAC."""
    with av.open(str(path), "w", format="flac") as container:
        container.flags |= av.container.Flags.bitexact.value
        stream = container.add_stream("flac", rate=SR, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate = SR
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)


def main() -> None:
    """Write clips and manifest."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "demo")
    folder = parser.parse_args().output
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for index, clip in enumerate(CLIPS):
        path = folder / f"{clip.name}.flac"
        write_flac(path, synthesise(index))
        rows.append(
            {
                "path": path.name,
                "trigger": clip.trigger,
                "label": clip.label,
                "recording": clip.name,
                "group": clip.name,
                "fold": index % 4,
                "duration_s": f"{SECONDS:.2f}",
                "source": "data/make_demo.py",
                "source_path": clip.name,
                "licence": "CC0",
                "source_sample_rate": SR,
                "synthetic": "yes",
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            }
        )
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
