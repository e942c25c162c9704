//! Reads the QR codes in an SVG, as a camera would.
//!
//! Invariant: knows of the drawing only that dark modules are `M…h…v1h…z` paths on a grid.
//! Failure: a picture without a code that can be read panics with the picture.

/// The text of the one QR code in a picture.
#[track_caller]
pub fn read(svg: &str) -> String {
    let mut texts = read_all(svg);
    assert_eq!(texts.len(), 1, "not one code: {svg}");
    texts.remove(0)
}

/// The texts of all QR codes in a picture, in order.
#[track_caller]
pub fn read_all(svg: &str) -> Vec<String> {
    let mut texts = Vec::new();
    for (place, _) in svg.match_indices("shape-rendering=\"crispEdges\"") {
        let tag = svg[..place].rfind("viewBox=\"0 0 ").expect("a viewBox") + 13;
        let side = svg[tag..].split([' ', '"']).next();
        let side: usize = side.and_then(|side| side.parse().ok()).expect("a side");
        let path = svg[place..].split("<path d=\"").nth(1).expect("a path");
        texts.push(decode(side, path.split('"').next().expect("an end")));
    }
    texts
}

/// Pixels of a module.
const SCALE: usize = 4;

fn decode(side: usize, path: &str) -> String {
    let mut dark = vec![false; side * side];
    for run in path.split('z').filter(|run| !run.is_empty()) {
        let (start, rest) = run
            .split_once('h')
            .unwrap_or_else(|| panic!("a run: {run}"));
        let mut place = start.trim_start_matches('M').split(' ');
        let mut next = || -> usize {
            place
                .next()
                .and_then(|it| it.parse().ok())
                .expect("a place")
        };
        let (x, y) = (next(), next());
        let long: usize = rest
            .split('v')
            .next()
            .and_then(|it| it.parse().ok())
            .expect("a length");
        dark[y * side + x..][..long].fill(true);
    }
    let pixels = side * SCALE;
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(pixels, pixels, |x, y| {
        if dark[y / SCALE * side + x / SCALE] {
            0
        } else {
            255
        }
    });
    let grids = image.detect_grids();
    let [code] = grids.as_slice() else {
        panic!("{} codes in {path}", grids.len());
    };
    code.decode()
        .unwrap_or_else(|error| panic!("{error}: {path}"))
        .1
}
