//! Words: numbers in words, and words that tell what a number is.
//!
//! Invariant: a number in words up to ten is a figure only before something that the data count;
//! before anything else it is prose.
//! Failure: none.

/// Numbers in words.
const ONES: [(&str, f64); 27] = [
    ("zero", 0.0),
    ("two", 2.0),
    ("three", 3.0),
    ("four", 4.0),
    ("five", 5.0),
    ("six", 6.0),
    ("seven", 7.0),
    ("eight", 8.0),
    ("nine", 9.0),
    ("ten", 10.0),
    ("eleven", 11.0),
    ("twelve", 12.0),
    ("thirteen", 13.0),
    ("fourteen", 14.0),
    ("fifteen", 15.0),
    ("sixteen", 16.0),
    ("seventeen", 17.0),
    ("eighteen", 18.0),
    ("nineteen", 19.0),
    ("twenty", 20.0),
    ("thirty", 30.0),
    ("forty", 40.0),
    ("fifty", 50.0),
    ("sixty", 60.0),
    ("seventy", 70.0),
    ("eighty", 80.0),
    ("ninety", 90.0),
];

/// What multiplies the number before it.
const SCALES: [(&str, f64); 5] = [
    ("dozen", 12.0),
    ("hundred", 1e2),
    ("thousand", 1e3),
    ("million", 1e6),
    ("billion", 1e9),
];

/// What multiplies digits before it, directly or after a blank.
pub fn multiplier(word: &str) -> Option<f64> {
    Some(match word {
        "k" | "K" | "thousand" | "Tsd" => 1e3,
        "M" | "m" | "mn" | "mio" | "Mio" | "million" | "millions" | "Millionen" => 1e6,
        "bn" | "b" | "B" | "billion" | "billions" | "mrd" | "Mrd" | "Milliarden" => 1e9,
        "tn" | "T" | "trillion" => 1e12,
        _ => return None,
    })
}

/// A number in words that begins a list of words: its value, and how many words it takes.
pub fn number(words: &[&str]) -> Option<(f64, usize)> {
    let lower: Vec<String> = words
        .iter()
        .take(8)
        .map(|word| word.to_lowercase())
        .collect();
    let scale = |word: &str| {
        SCALES
            .iter()
            .find(|(name, _)| *name == word)
            .map(|(_, by)| *by)
    };
    let (mut total, mut part, mut used, mut known) = (0.0, 0.0, 0, false);
    for (at, word) in lower.iter().enumerate() {
        if let Some(by) = scale(word) {
            // `a hundred`, `two million`; a bare `hundred` counts nothing.
            let article = matches!(lower.first().map(String::as_str), Some("a" | "an" | "one"));
            if !known && (at != 1 || !article) {
                break;
            }
            let times = if known { part } else { 1.0 };
            match by {
                100.0 | 12.0 => part = times * by,
                _ => {
                    total += times * by;
                    part = 0.0;
                }
            }
            known = true;
            used = at + 1;
        } else if let Some(value) = simple(word) {
            // `twenty five` is one number, `five three` are two.
            let tens = part % 100.0 >= 20.0 && part % 10.0 == 0.0 && value < 10.0;
            if known && part % 100.0 != 0.0 && !tens {
                break;
            }
            part += value;
            known = true;
            used = at + 1;
        } else if (at == 0 && matches!(word.as_str(), "a" | "an" | "one"))
            || (known && word == "and" && at + 1 < lower.len())
        {
            continue;
        } else {
            break;
        }
    }
    known.then_some((total + part, used))
}

/// `three`, `twenty`, `twenty-five`.
fn simple(word: &str) -> Option<f64> {
    let one = |word: &str| {
        ONES.iter()
            .find(|(name, _)| *name == word)
            .map(|(_, value)| *value)
    };
    if let Some((tens, ones)) = word.split_once('-') {
        let ones = if ones == "one" { Some(1.0) } else { one(ones) };
        let tens = one(tens).filter(|tens| *tens >= 20.0)?;
        return Some(tens + ones.filter(|ones| (1.0..10.0).contains(ones))?);
    }
    one(word)
}

/// The stem by which a noun of the report finds a name of the data: lower case, no plural.
pub fn stem(word: &str) -> String {
    let lower = word.to_lowercase();
    for (end, instead) in [("ies", "y"), ("sses", "ss"), ("ches", "ch"), ("s", "")] {
        if let Some(stem) = lower.strip_suffix(end).filter(|stem| stem.len() > 2) {
            return format!("{stem}{instead}");
        }
    }
    lower
}

/// What the words around a figure say that it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cues {
    /// A difference or a change.
    pub change: bool,
    /// A part of a whole.
    pub share: bool,
    /// So many for each.
    pub ratio: bool,
    /// Several together.
    pub sum: bool,
    /// A number below nothing.
    pub negative: bool,
}

#[rustfmt::skip]
const CHANGE: [&str; 98] = [
    "more", "less", "fewer", "higher", "lower", "up", "down", "rose", "rise", "rises", "rising",
    "risen", "fell", "fall", "falls", "falling", "fallen", "drop", "drops", "dropped", "decline",
    "declined", "decrease", "decreased", "increase", "increased", "grew", "grow", "grown",
    "growth", "gain", "gained", "gains", "lost", "loss", "change", "changed", "changes",
    "difference", "gap", "than", "versus", "vs", "compared", "ahead", "behind", "exceeded",
    "additional", "extra", "jump", "jumped", "dip", "dipped", "improved", "improvement", "worse",
    "better", "delta", "net", "plus", "minus", "lead", "margin", "slipped", "climbed", "surged",
    "shrank", "doubled", "by", "faster", "slower", "diff", "δ", "trend", "swing", "mehr",
    "weniger", "höher", "niedriger", "gestiegen", "stieg", "gefallen", "fiel", "sank", "gesunken",
    "zuwachs", "rückgang", "gegenüber", "unterschied", "differenz", "anstieg", "moins", "hausse",
    "baisse", "más", "menos", "aumento", "caída",
];

#[rustfmt::skip]
const SHARE: [&str; 33] = [
    "of", "share", "shares", "account", "accounts", "accounted", "accounting", "represent",
    "represents", "represented", "representing", "contributed", "contributes", "contribution",
    "proportion", "portion", "part", "fraction", "made", "makes", "rate", "conversion",
    "percentage", "ratio", "split", "von", "anteil", "quote", "de", "part", "taux", "cuota",
    "tasa",
];

#[rustfmt::skip]
const RATIO: [&str; 27] = [
    "per", "each", "average", "averaged", "averages", "avg", "mean", "times", "fold", "rate",
    "every", "ratio", "conversion", "typical", "twice", "as", "pro", "je", "durchschnitt",
    "durchschnittlich", "par", "moyenne", "por", "media", "promedio", "multiple", "averaging",
];

#[rustfmt::skip]
const SUM: [&str; 21] = [
    "total", "totals", "totalled", "totaled", "totalling", "sum", "combined", "together",
    "altogether", "overall", "both", "all", "cumulative", "jointly", "aggregate", "gesamt",
    "insgesamt", "zusammen", "summe", "ensemble", "juntos",
];

#[rustfmt::skip]
const NEGATIVE: [&str; 22] = [
    "fell", "fall", "dropped", "drop", "decrease", "decreased", "down", "loss", "lower", "less",
    "negative", "below", "minus", "deficit", "shrank", "decline", "declined", "under", "short",
    "lost", "fewer", "rückgang",
];

/// Reads the words around a figure.
pub fn cues(around: &str) -> Cues {
    let mut cues = Cues::default();
    for word in around.split(|c: char| !c.is_alphanumeric()) {
        if word.is_empty() {
            continue;
        }
        let lower = word.to_lowercase();
        let word = lower.as_str();
        cues.change |= CHANGE.contains(&word);
        cues.share |= SHARE.contains(&word);
        cues.ratio |= RATIO.contains(&word);
        cues.sum |= SUM.contains(&word);
        cues.negative |= NEGATIVE.contains(&word);
    }
    cues.change |= around.contains(['↑', '↓', '▲', '▼', 'Δ', '→']);
    cues
}

/// Words before a number that only name something: `step 3`.
pub fn is_label(word: &str) -> bool {
    matches!(
        word.to_lowercase().trim_end_matches('.'),
        "step"
            | "table"
            | "figure"
            | "fig"
            | "section"
            | "chapter"
            | "page"
            | "part"
            | "note"
            | "appendix"
            | "item"
            | "option"
            | "version"
            | "phase"
            | "tier"
            | "footnote"
            | "annex"
            | "iso"
            | "rfc"
            | "http"
            | "question"
            | "line"
            | "example"
    )
}

/// Words that make a number approximate.
pub fn is_about(word: &str) -> bool {
    matches!(
        word.to_lowercase().trim_end_matches('.'),
        "about"
            | "around"
            | "roughly"
            | "approximately"
            | "approx"
            | "circa"
            | "ca"
            | "nearly"
            | "almost"
            | "over"
            | "above"
            | "under"
            | "below"
            | "than"
            | "least"
            | "most"
            | "exceeding"
            | "some"
            | "to"
            | "rund"
            | "etwa"
            | "fast"
            | "über"
            | "knapp"
            | "environ"
            | "unos"
            | "casi"
    )
}

/// Words before the number of a list's places: `top 5`.
pub fn is_rank(word: &str) -> bool {
    matches!(
        word.to_lowercase().as_str(),
        "top"
            | "first"
            | "last"
            | "bottom"
            | "best"
            | "worst"
            | "leading"
            | "largest"
            | "biggest"
            | "latest"
            | "smallest"
            | "busiest"
            | "slowest"
            | "next"
    )
}

/// Words before a limit that something is compared with.
pub fn is_limit(word: &str) -> bool {
    matches!(
        word.to_lowercase().as_str(),
        "over"
            | "above"
            | "below"
            | "under"
            | "than"
            | "least"
            | "most"
            | "threshold"
            | "limit"
            | "target"
            | "goal"
            | "last"
            | "past"
            | "previous"
            | "trailing"
            | "next"
            | "within"
            | "every"
            | "top"
            | "first"
            | "latest"
            | "preceding"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_words() {
        for (text, expect) in [
            ("three gates", Some((3.0, 1))),
            ("twenty-five guests", Some((25.0, 1))),
            ("twenty five guests", Some((25.0, 2))),
            ("a dozen orders", Some((12.0, 2))),
            ("two dozen", Some((24.0, 2))),
            ("a hundred and twenty", Some((120.0, 4))),
            ("three hundred thousand and five", Some((300_005.0, 5))),
            ("two million", Some((2e6, 2))),
            ("one hundred", Some((100.0, 2))),
            ("one of them", None),
            ("hundred", None),
            ("a gate", None),
            ("five three", Some((5.0, 1))),
        ] {
            let words: Vec<&str> = text.split(' ').collect();
            assert_eq!(number(&words), expect, "{text}");
        }
        assert_eq!(stem("Entries"), stem("entry"));
        assert_eq!(stem("gates"), stem("Gate"));
    }

    #[test]
    fn the_words_around_say_what_a_figure_is() {
        assert!(cues("rose by 5 % compared with Monday").change);
        assert!(cues("45 % of all scans").share && !cues("45 % of all scans").change);
        assert!(cues("3.2 per guest").ratio && cues("together 12").sum);
        assert_eq!(cues("North had 12 scans"), Cues::default());
    }
}
