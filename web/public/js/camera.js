// Reads ticket codes with the camera, where the browser can.
//
// Failure: without BarcodeDetector, a camera or permission it says so and reads nothing.

const FORMATS = ["qr_code", "aztec", "pdf417", "data_matrix", "code_128", "code_39", "ean_13"];
const LOOK_EVERY = 120;

/** The formats this browser reads; empty when it cannot read codes at all. */
export async function readable() {
  if (!("BarcodeDetector" in globalThis) || !navigator.mediaDevices?.getUserMedia) return [];
  const known = await BarcodeDetector.getSupportedFormats().catch(() => []);
  return FORMATS.filter((format) => known.includes(format));
}

/** Starts looking; `onCode(text)` is called at every sighting. Answers a function that stops. */
export async function start(video, formats, onCode) {
  const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: { ideal: 1280 } }, audio: false });
  video.srcObject = stream;
  await video.play();
  const detector = new BarcodeDetector({ formats });
  let running = true;
  (async () => {
    while (running) {
      const codes = await detector.detect(video).catch(() => []);
      if (running && codes.length === 1 && codes[0].rawValue) onCode(codes[0].rawValue);
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY));
    }
  })();
  return () => {
    running = false;
    for (const track of stream.getTracks()) track.stop();
    video.srcObject = null;
  };
}
