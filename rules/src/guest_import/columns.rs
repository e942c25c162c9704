//! Which column of a file is which field of a guest.
//!
//! Invariant: a column is at most one field; where several columns are the same field, the one that
//! says more of the guest comes first and the others stand in where it is blank. Columns that are no
//! field are kept in `data` under their header.
//! Failure: a map that names a field or a header there is not, and a header in which nothing tells
//! who a guest is, end the import.
//!
//! The names are those of real exports: pretix (order positions and check-in list, English and
//! German), Eventbrite (attendee report), Luma (guest list), and what people call their own columns.

use std::collections::BTreeMap;

use super::{Problem, quoted};

/// What the header of a column begins with that is kept in `data` and nothing else.
pub const DATA: &str = "data: ";

/// What a column can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Field {
    Name,
    FirstName,
    LastName,
    Email,
    Barcode,
    Category,
    Status,
    ValidFrom,
    ValidUntil,
    AttentionNote,
    /// How many people the ticket is for.
    Party,
    /// Yes or no: whether it was paid for.
    Paid,
    /// Yes or no: whether the ticket is blocked.
    Blocked,
    /// Yes or no: whether the door should look twice.
    Attention,
}

impl Field {
    /// Every field.
    #[rustfmt::skip]
    pub const ALL: [Self; 14] = [
        Self::Name, Self::FirstName, Self::LastName, Self::Email, Self::Barcode, Self::Category, Self::Status,
        Self::ValidFrom, Self::ValidUntil, Self::AttentionNote, Self::Party, Self::Paid, Self::Blocked,
        Self::Attention,
    ];

    /// The name used in maps and errors.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::FirstName => "first_name",
            Self::LastName => "last_name",
            Self::Email => "email",
            Self::Barcode => "barcode",
            Self::Category => "category",
            Self::Status => "status",
            Self::ValidFrom => "valid_from",
            Self::ValidUntil => "valid_until",
            Self::AttentionNote => "attention_note",
            Self::Party => "party",
            Self::Paid => "paid",
            Self::Blocked => "blocked",
            Self::Attention => "attention",
        }
    }

    /// The field of a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.as_str() == name)
    }

    /// Whether the column's cells are kept in `data` as well.
    pub const fn also_data(self) -> bool {
        matches!(self, Self::Paid | Self::Blocked | Self::Attention)
    }

    /// Headers in their plain form, best first.
    #[rustfmt::skip]
    const fn headers(self) -> &'static [&'static str] {
        match self {
            Self::Name => &[
                "attendee name", "guest name", "ticket holder", "ticket holder name",
                "participant name", "name", "full name", "display name", "guest", "participant",
                "teilnehmername", "name des teilnehmers", "name der teilnehmerin",
                "name teilnehmer in", "teilnehmer", "teilnehmer in", "gast", "gastname",
                "vollständiger name", "voller name", "ticketinhaber", "invoice address name",
                "rechnungsadresse name", "name rechnungsadresse",
            ],
            Self::FirstName => &[
                "attendee name given name", "attendee name first name", "attendee first name",
                "first name", "firstname", "given name", "teilnehmername vorname",
                "name des teilnehmers vorname", "name teilnehmer in vorname",
                "teilnehmer innenname vorname", "vorname", "rufname",
            ],
            Self::LastName => &[
                "attendee name family name", "attendee name last name", "attendee last name",
                "last name", "lastname", "family name", "surname", "teilnehmername nachname",
                "teilnehmername familienname", "name des teilnehmers familienname",
                "name teilnehmer in familienname", "name teilnehmer in nachname",
                "teilnehmer innenname nachname", "nachname", "familienname", "zuname",
            ],
            Self::Email => &[
                "attendee email", "attendee e mail", "guest email", "ticket holder email",
                "teilnehmer e mail", "e mail des teilnehmers", "e mail teilnehmer in",
                "e mail adresse des teilnehmers", "email", "e mail", "email address",
                "e mail address", "e mail adresse", "emailadresse", "mail", "order email",
            ],
            Self::Barcode => &[
                "barcode", "ticket secret", "secret", "qr code url", "ticket code",
                "ticket barcode", "barcode number", "ticketcode", "ticket geheimnis", "geheimnis",
                "geheimer ticket code", "barcodenummer", "strichcode", "qr code", "qr",
                "scan code", "code", "ticket id", "ticket number", "ticketnummer", "guest id",
                "api id",
            ],
            Self::Category => &[
                "ticket type", "ticket name", "ticket class", "product", "item", "category",
                "ticket category", "ticketart", "tickettyp", "ticket typ", "ticketkategorie",
                "produkt", "kategorie", "ticket",
            ],
            Self::Status => &[
                "attendee status", "approval status", "ticket status", "status", "order status",
                "rsvp", "rsvp status", "teilnehmerstatus", "bestellstatus",
            ],
            Self::ValidFrom => &["valid from", "gültig ab", "gültig von", "einlass ab"],
            Self::ValidUntil => &["valid until", "valid to", "gültig bis", "einlass bis"],
            Self::AttentionNote => &[
                "attention note", "door note", "check in note", "check in text", "checkin text",
                "check in hinweis", "einlasshinweis", "hinweis", "note", "notes",
            ],
            Self::Party => &[
                "party", "party size", "group size", "people", "number of people", "persons", "admits",
                "admit", "quantity", "qty", "pax", "gruppengröße", "gruppengrösse", "personen",
                "anzahl personen", "personenzahl", "anzahl", "menge",
            ],
            Self::Paid => &["paid", "bezahlt"],
            Self::Blocked => &["blocked", "gesperrt", "blockiert"],
            Self::Attention => &[
                "requires special attention", "requires attention",
                "benötigt besondere behandlung",
                "benötigt besondere aufmerksamkeit", "erfordert besondere aufmerksamkeit",
                "besondere aufmerksamkeit",
            ],
        }
    }

    /// The field a header is by itself, and how good a column for it: less is better.
    pub fn of_header(header: &str) -> Option<(Self, usize)> {
        let header = plain(header);
        let place = |field: Self| field.headers().iter().position(|known| *known == header);
        Self::ALL
            .into_iter()
            .find_map(|field| place(field).map(|place| (field, place)))
    }
}

/// A header without what writers of headers differ in: case, punctuation, blanks.
pub fn plain(header: &str) -> String {
    let mut out = String::with_capacity(header.len());
    for c in header.chars().flat_map(char::to_lowercase) {
        if c.is_alphanumeric() {
            out.push(c);
        } else if !out.is_empty() && !out.ends_with(' ') {
            out.push(' ');
        }
    }
    out.truncate(out.trim_end().len());
    out
}

/// What the caller said about columns: field to header; a field without a header is left out.
#[derive(Clone, Debug, Default)]
pub struct Wanted(BTreeMap<Field, String>);

impl Wanted {
    /// Reads a map of field names to headers.
    pub fn parse(map: &BTreeMap<String, String>) -> Result<Self, crate::invalid::Invalid> {
        let mut invalid = crate::invalid::Invalid::default();
        let mut wanted = BTreeMap::new();
        for (name, header) in map {
            match Field::parse(name) {
                Some(field) => {
                    wanted.insert(field, header.trim().to_owned());
                }
                None => {
                    let known: Vec<&str> = Field::ALL.into_iter().map(Field::as_str).collect();
                    invalid.add(
                        format!("/map/{name}"),
                        "unknown_field",
                        format!("Must be one of {}.", known.join(", ")),
                    );
                }
            }
        }
        invalid.or(Self(wanted))
    }

    /// What this header is: what the map says, else what it is by itself.
    pub fn of_header(&self, header: &str) -> Option<(Field, usize)> {
        let header = header.trim();
        if let Some((field, _)) = self.0.iter().find(|(_, wanted)| is(wanted, header)) {
            return Some((*field, 0));
        }
        Field::of_header(header).filter(|(field, _)| !self.0.contains_key(field))
    }

    /// The headers the map names, with their fields.
    pub fn named(&self) -> impl Iterator<Item = (Field, &str)> {
        self.0
            .iter()
            .map(|(field, header)| (*field, header.as_str()))
            .filter(|(_, header)| !header.is_empty())
    }
}

fn is(wanted: &str, header: &str) -> bool {
    !wanted.is_empty() && (wanted == header || plain(wanted) == plain(header))
}

/// The columns of a file with a header line.
#[derive(Clone, Debug)]
pub struct Columns {
    /// For each column its header as kept in `data`, and its field.
    pub all: Vec<(String, Option<Field>)>,
    /// For each field its columns, best first.
    pub of: BTreeMap<Field, Vec<usize>>,
}

impl Columns {
    /// Reads the header line, which stands on `line`.
    pub fn read(headers: &[String], wanted: &Wanted, line: u32) -> Result<Self, Problem> {
        for (field, header) in wanted.named() {
            if !headers.iter().any(|found| is(header, found.trim())) {
                return Err(Problem {
                    line,
                    field: Some(field.as_str().to_owned()),
                    code: "unknown_column".to_owned(),
                    message: format!(
                        "There is no column {}; there are {}.",
                        quoted(header),
                        some(headers)
                    ),
                });
            }
        }
        let mut ranked: BTreeMap<Field, Vec<(usize, usize)>> = BTreeMap::new();
        let mut all: Vec<(String, Option<Field>)> = Vec::with_capacity(headers.len());
        for (at, header) in headers.iter().enumerate() {
            // Our own exports mark columns that are data whatever they are called.
            let (header, found) = match header.trim().strip_prefix(DATA) {
                Some(key) => (key.trim(), None),
                None => (header.trim(), wanted.of_header(header)),
            };
            if let Some((field, rank)) = found {
                ranked.entry(field).or_default().push((rank, at));
            }
            all.push((unused(&all, header, at), found.map(|(field, _)| field)));
        }
        let tells = [
            Field::Name,
            Field::FirstName,
            Field::LastName,
            Field::Email,
            Field::Barcode,
        ];
        if !tells.iter().any(|field| ranked.contains_key(field)) {
            let message = format!(
                "None of the columns is known as a name, an email address or a code ({}). Say which is which in the map, \
                 and see that the first line names the columns.",
                some(headers)
            );
            return Err(Problem::whole(line, "no_known_column", &message));
        }
        let of = ranked
            .into_iter()
            .map(|(field, mut columns)| {
                columns.sort_unstable();
                (field, columns.into_iter().map(|(_, at)| at).collect())
            })
            .collect();
        Ok(Self { all, of })
    }

    /// How many columns are known: what tells the right delimiter from the wrong ones.
    pub fn known(headers: &[String]) -> usize {
        headers
            .iter()
            .filter(|header| Field::of_header(header).is_some())
            .count()
    }

    /// Field names to the headers they are read from, best first.
    pub fn mapping(&self) -> BTreeMap<String, Vec<String>> {
        let header = |at: &usize| self.all.get(*at).map(|(header, _)| header.clone());
        self.of
            .iter()
            .map(|(field, columns)| {
                (
                    field.as_str().to_owned(),
                    columns.iter().filter_map(header).collect(),
                )
            })
            .collect()
    }
}

/// The first of the headers, for a message.
fn some(headers: &[String]) -> String {
    headers
        .iter()
        .take(40)
        .map(|header| quoted(header))
        .collect::<Vec<_>>()
        .join(", ")
}

/// A header under which nothing is kept yet.
fn unused(taken: &[(String, Option<Field>)], header: &str, at: usize) -> String {
    let header = if header.is_empty() {
        format!("column {}", at + 1)
    } else {
        header.to_owned()
    };
    let free = |name: &str| !taken.iter().any(|(other, _)| other == name);
    if free(&header) {
        return header;
    }
    (2..)
        .map(|n| format!("{header} ({n})"))
        .find(|name| free(name))
        .unwrap_or(header)
}

#[cfg(test)]
#[path = "columns_tests.rs"]
mod tests;
