// What is heard: the recording itself where it is short and the browser plays it, else the stretch as WAV.

const sounds = new Map(); // by number: an element, and where in it the stretch lies
const speaker = { number: null, frame: 0 };

const canPlay = (type) => type !== null && make("audio").canPlayType(type) !== "";

// Makes the element that plays a stretch, which begins to load.
function soundOf(stretch) {
  const known = sounds.get(stretch.number);
  if (known) return known;
  const media = make("audio", { preload: "auto" });
  const sound = { media, from: 0, trouble: false };
  media.addEventListener("loadedmetadata", () => {
    if (media.currentTime < sound.from) media.currentTime = sound.from;
  });
  media.addEventListener("error", () => {
    if (media.src.includes("/original/")) return load(`sound/${stretch.number}`, 0);
    sound.trouble = true;
    if (speaker.number === stretch.number) tellSilence(stretch);
  });
  for (const name of ["play", "pause", "ended"]) media.addEventListener(name, showPlaying);
  function load(place, from) {
    const playing = speaker.number === stretch.number && speaker.wanted;
    sound.from = from;
    media.src = place;
    if (playing) play(stretch);
  }
  if (canPlay(stretch.type)) load(`original/${stretch.number}`, stretch.start);
  else load(`sound/${stretch.number}`, 0);
  sounds.set(stretch.number, sound);
  return sound;
}

// Lets go of what is far from a stretch.
function forgetSounds(number) {
  for (const [known, { media }] of sounds) {
    if (Math.abs(known - number) < PREFETCHED) continue;
    media.removeAttribute("src");
    media.load();
    sounds.delete(known);
  }
}

function play(stretch, at = 0) {
  stop();
  const sound = soundOf(stretch);
  if (sound.trouble) return tellSilence(stretch);
  Object.assign(speaker, { number: stretch.number, wanted: true });
  const { media } = sound;
  media.volume = find("volume").value / 100;
  if (media.readyState > 0) media.currentTime = sound.from + at;
  media.play().catch((reason) => {
    if (reason.name === "NotAllowedError") speaker.wanted = false; // nobody has touched the page yet
  });
  follow();
}

function stop() {
  const sound = sounds.get(speaker.number);
  speaker.wanted = false;
  cancelAnimationFrame(speaker.frame);
  sound?.media.pause();
}

const isSounding = () => {
  const media = sounds.get(speaker.number)?.media;
  return Boolean(media && !media.paused && !media.ended);
};

// Moves the needle, and ends where the stretch does; a hidden page draws nothing, but still ends.
function follow() {
  const sound = sounds.get(speaker.number);
  const stretch = queue.get(speaker.number);
  if (!sound || !stretch || !speaker.wanted) return;
  const now = sound.media.currentTime - sound.from;
  const whole = stretch.end - stretch.start;
  showNeedle(Math.min(1, Math.max(0, now / whole)));
  if (now >= whole || sound.media.ended) return stop();
  cancelAnimationFrame(speaker.frame);
  if (document.hidden) setTimeout(follow, 50);
  else speaker.frame = requestAnimationFrame(follow);
}

const showNeedle = (share) => find("picture").style.setProperty("--played", share);

function showPlaying() {
  const playing = isSounding();
  find("play").classList.toggle("playing", playing);
  find("play").setAttribute("aria-label", playing ? "Pause" : "Play");
}

function tellSilence(stretch) {
  stop();
  ask(`sound/${stretch.number}`).then(() => trouble("This cannot be played here."), (reason) => trouble(reason.message));
}
