//! Headers of real exports, and of lists that people keep.

use super::*;

fn headers(line: &str) -> Vec<String> {
    line.split(',').map(str::to_owned).collect()
}

fn mapping(line: &str, map: &[(&str, &str)]) -> Result<String, Problem> {
    let map = map
        .iter()
        .map(|(field, header)| ((*field).to_owned(), (*header).to_owned()))
        .collect();
    let columns = Columns::read(&headers(line), &Wanted::parse(&map).unwrap(), 1)?;
    let text: Vec<String> = columns
        .mapping()
        .iter()
        .map(|(field, headers)| format!("{field}={}", headers.join("|")))
        .collect();
    Ok(text.join(" "))
}

#[test]
fn pretix_order_positions_are_known() {
    let line = "Event slug,Order code,Position ID,Status,Email,Phone number,Order date,Order time,Product,Variation,Price,\
        Tax rate,Tax rule,Tax value,Attendee name,Attendee name: Given name,Attendee name: Family name,Attendee email,\
        Company,Address,ZIP code,City,Country,State,Voucher,Pseudonymization ID,Ticket secret,Seat ID,Seat name,Seat zone,\
        Seat row,Seat number,Blocked,Valid from,Valid until,Order comment,Follow-up date,Company,Invoice address name,\
        Sales channel,Order locale,E-mail address verified,External customer ID,Payment providers";
    assert_eq!(
        mapping(line, &[]).unwrap(),
        "barcode=Ticket secret blocked=Blocked category=Product email=Attendee email|Email \
         first_name=Attendee name: Given name last_name=Attendee name: Family name \
         name=Attendee name|Invoice address name status=Status valid_from=Valid from valid_until=Valid until"
    );
}

#[test]
fn pretix_check_in_lists_are_known() {
    let line = "Order code,Attendee name,Product,Price,Checked in,Checked out,Automatically checked in,Paid,Secret,E-mail,\
        Company,Voucher code,Order date,Requires special attention,Comment,Seat ID";
    assert_eq!(
        mapping(line, &[]).unwrap(),
        "attention=Requires special attention barcode=Secret category=Product email=E-mail name=Attendee name paid=Paid"
    );
}

#[test]
fn pretix_in_german_is_known() {
    let line = "Bestellnummer,Name Teilnehmer*in,Teilnehmer*innenname: Vorname,Teilnehmer*innenname: Nachname,Produkt,\
        Preis,Eingecheckt,Ausgetreten,Automatisch eingecheckt,bezahlt,Secret,E-Mail,Telefonnummer,Firma,Gutscheincode,\
        Bestelldatum,Bestelluhrzeit,Benötigt besondere Behandlung,Kommentar,Check-in-Hinweis,Sitzplatz-ID,Gesperrt,\
        Gültig ab,Gültig bis";
    assert_eq!(
        mapping(line, &[]).unwrap(),
        "attention=Benötigt besondere Behandlung attention_note=Check-in-Hinweis barcode=Secret blocked=Gesperrt \
         category=Produkt email=E-Mail first_name=Teilnehmer*innenname: Vorname \
         last_name=Teilnehmer*innenname: Nachname name=Name Teilnehmer*in paid=bezahlt valid_from=Gültig ab \
         valid_until=Gültig bis"
    );
    let line = "Kurzname der Veranstaltung,Veranstaltungstitel,Bestellnummer,Position,Status,E-Mail,Bestelldatum,\
        Bestelluhrzeit,Produkt,Variante,Name Teilnehmer*in,Name Teilnehmer*in: Vorname,Name Teilnehmer*in: Nachname,\
        E-Mail Teilnehmer*in,Teilnehmer*innen-Firma,Gutschein,Pseudonyme ID,Ticket-Code,Gesperrt,Gültig ab,Gültig bis,\
        Bestellkommentar,Rechnungsadresse: Firma,Rechnungsadresse: Name";
    assert_eq!(
        mapping(line, &[]).unwrap(),
        "barcode=Ticket-Code blocked=Gesperrt category=Produkt email=E-Mail Teilnehmer*in|E-Mail \
         first_name=Name Teilnehmer*in: Vorname last_name=Name Teilnehmer*in: Nachname \
         name=Name Teilnehmer*in|Rechnungsadresse: Name status=Status valid_from=Gültig ab valid_until=Gültig bis"
    );
}

#[test]
fn eventbrite_and_luma_are_known() {
    let line = "Order #,Order Date,First Name,Last Name,Email,Quantity,Price Tier,Ticket Type,Attendee #,Barcode #,Group,\
        Order Type,Currency,Total Paid,Fees Paid,Attendee Status,Buyer First Name,Buyer Last Name,Buyer Email";
    assert_eq!(
        mapping(line, &[]).unwrap(),
        "barcode=Barcode # category=Ticket Type email=Email first_name=First Name last_name=Last Name party=Quantity status=Attendee Status"
    );
    let line = "api_id,name,first_name,last_name,email,phone_number,created_at,approval_status,checked_in_at,custom_source,\
        qr_code_url,amount,amount_tax,amount_discount,currency,coupon_code,eth_address,solana_address,\
        survey_response_rating,survey_response_feedback,ticket_type_id,ticket_name,What is your role?";
    assert_eq!(
        mapping(line, &[]).unwrap(),
        "barcode=qr_code_url|api_id category=ticket_name email=email first_name=first_name last_name=last_name name=name \
         status=approval_status"
    );
}

#[test]
fn german_headers_are_known() {
    assert_eq!(
        mapping(
            "Vorname,Nachname,E-Mail,Ticketcode,Kategorie,Status,Gültig ab,GÜLTIG BIS,Hinweis",
            &[]
        )
        .unwrap(),
        "attention_note=Hinweis barcode=Ticketcode category=Kategorie email=E-Mail first_name=Vorname last_name=Nachname \
         status=Status valid_from=Gültig ab valid_until=GÜLTIG BIS"
    );
}

#[test]
fn the_callers_map_wins() {
    assert_eq!(
        mapping(
            "Name,Badge,Code,Status",
            &[("barcode", "badge"), ("status", "")]
        )
        .unwrap(),
        "barcode=Badge name=Name"
    );
    assert_eq!(mapping("a,b", &[("name", "b")]).unwrap(), "name=b");
    let problem = mapping("Name,Badge", &[("barcode", "Batch")]).unwrap_err();
    assert_eq!(
        (problem.code.as_str(), problem.field.as_deref()),
        ("unknown_column", Some("barcode"))
    );
    assert!(problem.message.contains("Badge"));
    let map = [("surname".to_owned(), "x".to_owned())]
        .into_iter()
        .collect();
    assert_eq!(
        Wanted::parse(&map).unwrap_err().errors[0].pointer,
        "/map/surname"
    );
}

#[test]
fn a_file_in_which_nothing_tells_who_is_refused() {
    assert_eq!(
        mapping("Ada,ada@example.org,VIP", &[]).unwrap_err().code,
        "no_known_column"
    );
    assert_eq!(
        mapping("Status,Product", &[]).unwrap_err().code,
        "no_known_column"
    );
}

#[test]
fn headers_of_data_are_told_apart() {
    let columns = Columns::read(
        &headers("Name,Company,,Company,,data: Status"),
        &Wanted::default(),
        1,
    )
    .unwrap();
    let names: Vec<&str> = columns.all.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "Name",
            "Company",
            "column 3",
            "Company (2)",
            "column 5",
            "Status"
        ]
    );
    assert!(!columns.of.contains_key(&Field::Status));
}

#[test]
fn every_known_header_is_plain_and_means_one_field() {
    for field in Field::ALL {
        assert_eq!(Field::parse(field.as_str()), Some(field));
        for header in field.headers() {
            assert_eq!(plain(header), *header);
            assert_eq!(
                Field::of_header(header).map(|(found, _)| found),
                Some(field),
                "{header}"
            );
        }
    }
    assert_eq!(plain("  E-Mail (privat)! "), "e mail privat");
}
