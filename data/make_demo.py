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
rooms       reverberation as decaying noise: Moorer (1979), About this reverberation business,
            Computer Music Journal 3(2)

Numbers that no paper gives (rates, widths, levels, rooms) were set so that the features of a clip
lie among those of real recordings of its kind, and so that a model fitted on real recordings hears
its truth. What a model says of these clips is therefore no measure of how good it is.
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
    """A thing that rings when struck.

    Parameters
    ----------
    modes_hz : tuple of float
    decay : float
        Time in which the lowest mode falls to 1/e; the higher ones fall sooner.
    click : float
        Level of the finger's own noise against the ringing.
    click_hz : tuple of float
        Its band.
    """

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


@dataclass(frozen=True)
class Sheet:
    """A thing that crinkles, as the parameters of a PhISEM stream.

    Parameters
    ----------
    rate : float
        Mean number of creases that give way in a second.
    low_hz, high_hz : float
        Range of their resonances.
    decay_ms : tuple of float
        Range of their decay.
    moves_hz : float
        How fast the hand moves; it stays below some 5 Hz.
    grip : float
        Exponent that gathers the creases in the hand's moves.
    tail : float
        Pareto exponent of their strength: few loud ones, many faint.
    rustle : float
        Level of the creases too faint to tell apart, against the loudest one.
    """

    rate: float
    low_hz: float
    high_hz: float
    decay_ms: tuple[float, float]
    moves_hz: float
    grip: float
    tail: float
    rustle: float


PLASTIC = Sheet(320, 1500, 10000, (0.3, 1.6), moves_hz=3.0, grip=1.3, tail=2.2, rustle=0.02)
PAPER = Sheet(400, 1500, 9000, (0.3, 1.6), moves_hz=2.0, grip=2.0, tail=2.2, rustle=0.01)


def crinkles(rng: np.random.Generator, *, sheet: Sheet) -> Samples:
    """Make a Poisson stream of clicks whose rate follows the hand, with heavy-tailed strength."""
    hand = np.clip(shaped_noise(rng, band(0.3, sheet.moves_hz)), 0, None) ** sheet.grip
    hand = 0.08 + hand / hand.mean()
    y = np.zeros(N_SAMPLES)
    length = SR // 50
    ticks = np.arange(length) / SR
    for start in np.flatnonzero(rng.random(N_SAMPLES) < hand * sheet.rate / SR):
        if start + length >= N_SAMPLES:
            continue
        centre = np.exp(rng.uniform(np.log(sheet.low_hz), np.log(sheet.high_hz)))
        decay = rng.uniform(*sheet.decay_ms) * 1e-3
        tick = rng.standard_normal(length) * 0.6 + np.sin(2 * np.pi * centre * ticks)
        y[start : start + length] += (rng.pareto(sheet.tail) + 0.05) * tick * np.exp(-ticks / decay)
    rustle = shaped_noise(rng, band(sheet.low_hz, sheet.high_hz)) * hand
    return y + sheet.rustle * np.abs(y).max() * rustle


@dataclass(frozen=True)
class Utterance:
    """What is said: vowels under a syllabic loudness, and where the rest goes.

    Parameters
    ----------
    envelope : ndarray of float64, shape (n_samples,), in [0, 1]
        Loudness of the vowels.
    formants_hz : ndarray of float64, shape (n_samples, 3)
        Formants, gliding from vowel to vowel.
    onsets, pauses : ndarray of int64
        First samples of syllables, and of pauses for breath.
    """

    envelope: Samples
    formants_hz: Samples
    onsets: NDArray[np.int64]
    pauses: NDArray[np.int64]


def utter(rng: np.random.Generator, *, rate: float) -> Utterance:
    """Draw syllables at a rate of talk (3 to 5 a second), in phrases with a pause after each."""
    envelope, vowel = np.zeros(N_SAMPLES), np.zeros(N_SAMPLES, dtype=np.int64)
    onsets, pauses = [], []
    start, left = int(0.15 * SR), int(rng.integers(5, 9))
    while start < N_SAMPLES - SR // 8:
        length = int(SR / rate * 2 ** rng.normal(0, 0.3))
        end = min(start + length, N_SAMPLES)
        loudness = signal.windows.tukey(length, rng.uniform(0.5, 0.9)) * rng.uniform(0.4, 1)
        envelope[start:end] = loudness[: end - start]
        vowel[start:] = rng.integers(len(VOWELS_HZ))
        onsets.append(start)
        start, left = end - int(0.02 * SR), left - 1
        if left == 0:
            pauses.append(end)
            start, left = end + int(SR * rng.uniform(0.5, 0.8)), int(rng.integers(5, 9))
    glide = signal.windows.hann(int(0.09 * SR))
    targets = np.array(VOWELS_HZ, dtype=float)[np.pad(vowel, len(glide), mode="edge")]
    tracks = signal.fftconvolve(targets, glide[:, None] / glide.sum(), mode="same", axes=0)
    tracks = tracks[len(glide) : -len(glide)]
    return Utterance(envelope, tracks, np.array(onsets), np.array(pauses, dtype=np.int64))


def resonate(source: Samples, centres_hz: Samples, width: float) -> Samples:
    """Filter by a moving resonator whose coefficients change every 5 ms, as Klatt's (1980) do."""
    y, state = np.zeros(N_SAMPLES), np.zeros(2)
    step = SR // 200
    for start in range(0, N_SAMPLES, step):
        hz = centres_hz[start]
        radius = np.exp(-np.pi * width * (60 + 0.05 * hz) / SR)
        a = np.array([1, -2 * radius * np.cos(2 * np.pi * hz / SR), radius**2])
        gain = (1 - radius) * np.abs(1 - radius * np.exp(-4j * np.pi * hz / SR))
        part = slice(start, start + step)
        y[part], state = signal.lfilter([gain], a, source[part], zi=state)
    return y


def vowels(source: Samples, said: Utterance, *, shift: float, width: float) -> Samples:
    """Filter a source by parallel formants, of mean square 1."""
    y = sum(
        gain * resonate(source, hz * shift, width)
        for gain, hz in zip((1.0, 0.7, 0.5), said.formants_hz.T, strict=True)
    )
    return y / np.sqrt(np.mean(y**2))


CONSONANTS = (
    (4500, 10000, (0.08, 0.15), 0.6),
    (2200, 7000, (0.08, 0.14), 0.7),
    (1500, 11000, (0.05, 0.1), 0.2),
    (2500, 9000, (0.01, 0.025), 0.8),
    (900, 3500, (0.015, 0.03), 0.7),
)
"""Whispered /s/, /sh/, /f/, /t/ and /k/: band in Hz, range of lengths in seconds, strength."""


def consonants(rng: np.random.Generator, said: Utterance) -> Samples:
    """Put a hiss or a burst before most syllables."""
    y = np.zeros(N_SAMPLES)
    hisses = [shaped_noise(rng, band(low, high)) for low, high, _, _ in CONSONANTS]
    for onset in said.onsets[rng.random(len(said.onsets)) < 0.8]:
        kind = int(rng.integers(len(CONSONANTS)))
        *_, lengths, strength = CONSONANTS[kind]
        length = int(rng.uniform(*lengths) * SR)
        first = max(0, onset - length // 2)
        part = slice(first, first + length)  # shorter at the clip's end
        hiss = hisses[kind][part] * signal.windows.hann(length)[: N_SAMPLES - first]
        y[part] += strength * rng.uniform(0.6, 1.2) * hiss
    return y


def breaths(rng: np.random.Generator, said: Utterance) -> Samples:
    """Draw air in each pause, close to the microphone."""
    y = np.zeros(N_SAMPLES)
    air = shaped_noise(rng, band(600, 4500, -3.0))
    swell = signal.windows.tukey(SR // 2 - SR // 10, 0.8)
    for pause in said.pauses:
        part = slice(pause + SR // 10, pause + SR // 2)
        y[part] = swell[: len(y[part])] * air[part]
    return y


def whispers(rng: np.random.Generator, *, rate: float, shift: float) -> Samples:
    """Breath through gliding formants, consonants and breaths between them, no voice at all."""
    said = utter(rng, rate=rate)
    source = shaped_noise(rng, band(300, 9000, -2.0))
    voice = vowels(source, said, shift=shift, width=1.8)
    y = said.envelope * (voice + 0.06 * source)
    return y + consonants(rng, said) + 0.25 * breaths(rng, said)


def talk(rng: np.random.Generator, *, pitch_hz: float) -> Samples:
    """Make a voice: glottal pulses with a moving pitch through the same formants."""
    said = utter(rng, rate=4.0)
    wander = shaped_noise(rng, band(0.2, 3.0))
    phase = np.cumsum(pitch_hz * 2 ** (0.15 * wander) / SR)
    pulses = np.diff(np.floor(phase), prepend=0.0)
    source = signal.lfilter([1.0], [1.0, -0.92], pulses)
    return said.envelope * vowels(source, said, shift=1.0, width=1.2) + 0.3 * consonants(rng, said)


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
    """Two sounds at once, as labels are independent: rain, and from 3 s on a whisper over it."""
    voice, hiss = whispers(rng, rate=4.0, shift=1.12), rain(rng)
    voice *= np.clip((np.arange(N_SAMPLES) / SR - 3.0) / 0.05, 0, 1)
    voice /= np.sqrt(np.mean(voice**2))
    return voice + 0.6 * hiss / np.sqrt(np.mean(hiss**2))


@dataclass(frozen=True)
class Room:
    """Where a clip is heard, and through which microphone.

    Parameters
    ----------
    seconds : float
        Time in which the reverberation falls by 60 dB; 0.2 to 0.5 s in furnished rooms.
    wet_db : float
        Level of the reverberation against the direct sound.
    hiss_db : float
        Level of the microphone's own noise against the clip.
    mic_hz : float
        Where the microphone's band ends.
    """

    seconds: float
    wet_db: float
    hiss_db: float
    mic_hz: float

    def hear(self, y: Samples, rng: np.random.Generator) -> Samples:
        """Add reverberation (noise that decays exponentially) and hiss, and band-limit all."""
        t = np.arange(int(SR * self.seconds)) / SR
        tail = rng.standard_normal(len(t)) * 10 ** (-3 * t / self.seconds)
        tail *= 10 ** (self.wet_db / 20) / np.sqrt(np.sum(tail**2))
        y = y + signal.fftconvolve(y, tail)[:N_SAMPLES]
        hiss = np.sqrt(np.mean(y**2)) * 10 ** (self.hiss_db / 20) * rng.standard_normal(N_SAMPLES)
        gain = band(80, self.mic_hz)(np.maximum(fft.rfftfreq(N_SAMPLES, 1 / SR), 1.0))
        return fft.irfft(fft.rfft(y + hiss) * gain, N_SAMPLES)


STUDY = Room(0.25, wet_db=-16, hiss_db=-28, mic_hz=10000)
BEDROOM = Room(0.25, wet_db=-16, hiss_db=-24, mic_hz=9000)
PARLOUR = Room(0.3, wet_db=-14, hiss_db=-32, mic_hz=10000)


@dataclass(frozen=True)
class DemoClip:
    """One clip.

    Parameters
    ----------
    name : str
    trigger : str
        Truth: a trigger, several as ``a,b``, or ``none``.
    label : str
        The finer label.
    level_db : float
        Root mean square in dB of full scale. Whispers are the quietest, as real ones are.
    make : callable
        Makes the sound from a seeded generator.
    room : Room, optional
        Where it is heard; as it is if left out.
    """

    name: str
    trigger: str
    label: str
    level_db: float
    make: Callable[[np.random.Generator], Samples]
    room: Room | None = None


CLIPS = (
    DemoClip("tap-wood", "tap", "tap", -32, lambda g: taps(g, body=WOOD, rate=4.5, spread=0.2)),
    DemoClip("tap-keys", "tap", "typing", -38, lambda g: taps(g, body=KEYS, rate=6.5, spread=0.5)),
    DemoClip("crinkle-plastic", "crinkle", "crinkle", -34,
             lambda g: crinkles(g, sheet=PLASTIC)),
    DemoClip("crinkle-paper", "crinkle", "paper_rustle", -40,
             lambda g: crinkles(g, sheet=PAPER), STUDY),
    DemoClip("noise-pink", "white_noise", "pink_noise", -36,
             lambda g: steady(g, tilt_db=-3.0, high_hz=9000)),
    DemoClip("noise-fan", "white_noise", "fan", -42,
             lambda g: steady(g, tilt_db=-5.0, high_hz=8000)),
    DemoClip("whisper-slow", "whisper", "whisper", -44,
             lambda g: whispers(g, rate=3.2, shift=1.1), BEDROOM),
    DemoClip("whisper-quick", "whisper", "whisper", -50,
             lambda g: whispers(g, rate=4.6, shift=1.2), BEDROOM),
    DemoClip("whisper-over-rain", "whisper,white_noise", "whisper", -40,
             whisper_over_rain, BEDROOM),
    DemoClip("none-melody", "none", "music", -30, melody),
    DemoClip("none-talk", "none", "speech", -34, lambda g: talk(g, pitch_hz=118), PARLOUR),
    DemoClip("none-silence", "none", "silence", -np.inf, lambda _g: np.zeros(N_SAMPLES)),
)  # fmt: skip


def synthesise(index: int) -> NDArray[np.int16]:
    """Make one clip, with the room's tone under it, as 16-bit samples."""
    clip = CLIPS[index]
    rng = np.random.default_rng([SEED, index])
    y = clip.make(rng)
    if clip.room is not None:
        y = clip.room.hear(y, rng)
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
