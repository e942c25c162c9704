// Reads ticket codes with the camera: by the browser itself where it can, by a reader of our own where
// it cannot (Safari, Firefox).
//
// Failure: without a camera, permission or reader it says so and reads nothing.

const FORMATS = ["qr_code", "aztec", "pdf417", "data_matrix", "code_128", "code_39", "ean_13"];
const LOOK_EVERY = 120;
/** When the reader is fetched that the page may need later without a connection. */
const FETCH_AFTER = 3_000;
const READER = "/vendor/barcode-detector.js";
const READER_CODE = "/vendor/zxing_reader.wasm";

let fetched;

/** The formats this browser reads; empty when it cannot show what a camera sees. */
export async function readable() {
  if (!navigator.mediaDevices?.getUserMedia) return [];
  const known = await globalThis.BarcodeDetector?.getSupportedFormats().catch(() => []);
  const formats = FORMATS.filter((format) => known?.includes(format));
  if (formats.length > 0) return formats;
  setTimeout(() => reader().catch(() => {}), FETCH_AFTER);
  return FORMATS;
}

/** Starts looking; `onCode(text)` is called at every sighting. Answers a function that stops. */
export async function start(video, formats, onCode) {
  const Detector = await detectorOf(formats);
  const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: { ideal: 1280 } }, audio: false });
  video.srcObject = stream;
  await video.play();
  const detector = new Detector({ formats });
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

async function detectorOf(formats) {
  const known = await globalThis.BarcodeDetector?.getSupportedFormats().catch(() => []);
  return formats.every((format) => known?.includes(format)) ? globalThis.BarcodeDetector : reader();
}

/** The reader of our own, fetched once. A fetch that failed is tried again. */
function reader() {
  fetched ??= fetchReader().catch((error) => {
    fetched = undefined;
    throw error;
  });
  return fetched;
}

async function fetchReader() {
  await new Promise((resolve, reject) => {
    const script = document.createElement("script");
    Object.assign(script, { src: READER, onload: resolve, onerror: () => reject(new Error("The reader of codes could not be loaded.")) });
    document.head.append(script);
  });
  const { BarcodeDetector, prepareZXingModule } = globalThis.BarcodeDetectionAPI;
  await prepareZXingModule({ overrides: { locateFile: () => READER_CODE }, fireImmediately: true });
  return BarcodeDetector;
}
