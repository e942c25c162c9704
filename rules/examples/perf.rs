#[path="../tests/checkin_support/mod.rs"] mod checkin_support;
use checkin_support::*; use rules::checkin::*; use serde_json::json; use std::time::Instant; use uuid::Uuid;
fn t<R>(name:&str,n:usize,mut f:impl FnMut(usize)->R){let s=Instant::now();for i in 0..n{std::hint::black_box(f(i));}println!("{name}: {:.3} us",s.elapsed().as_secs_f64()*1e6/n as f64);}
fn main(){
 let n=100_000usize;
 let mut door=Door::new(json!({"allow_reentry":true,"entries_per_day":3,"capacity":1000000,"opening_hours":[{"day":"sat","from":"00:00","to":"24:00"}]}),json!([{"name":"North"},{"name":"South","categories":["vip"]}]),"Europe/Berlin");
 let s=Instant::now();
 for i in 0..n{door.put(row(i as u128+1,&format!("CODE{i:08}")));}
 println!("roster {:?}",s.elapsed());
 let mut state=door.state().clone();
 let bodies:Vec<String>=(0..n).map(|i|{let mut b=scan_of(&format!("CODE{:08}",(i*7919)%n),&format!("nonce-{i}"));b.gate=Some("North".into());b.sent_at=Some(on_day("12:00:00"));b.scanned_at=Some(on_day("12:00:00"));serde_json::to_string(&b).unwrap()}).collect();
 let c=caller(1);
 let now=on_day("12:00:01");
 let mut log=Vec::new();
 t("parse json",n,|i|serde_json::from_str::<ScanIn>(&bodies[i]).unwrap());
 let ins:Vec<ScanIn>=bodies.iter().map(|b|serde_json::from_str(b).unwrap()).collect();
 let mut it=ins.clone().into_iter();
 t("ScanIn::parse",n,|_|it.next().unwrap().parse(now).unwrap());
 let scans:Vec<Scan>=ins.into_iter().map(|b|b.parse(now).unwrap()).collect();
 t("nonce_key",n,|i|scans[i].nonce_key(c.origin()));
 let ids=|i:usize|Ids{check_in:Uuid::from_u128(i as u128+1<<64),row:Uuid::from_u128(7)};
 t("decide",n,|i|decide(&state,&scans[i],&c,ids(i)).unwrap());
 let mut it=scans.clone().into_iter();
 t("decide+record+apply",n,|i|{let sc=it.next().unwrap();let d=decide(&state,&sc,&c,ids(i)).unwrap();let e=record(&state,sc,&c,d,ids(i),None);state.apply(&e);log.push(e);});
 t("decide duplicate",n,|i|decide(&state,&scans[i],&c,ids(i)).unwrap());
 t("entry to json",n,|i|serde_json::to_string(&log[i]).unwrap());
 t("answer to json",n,|i|serde_json::to_string(&answer(&log[i])).unwrap());
 let texts:Vec<String>=log.iter().map(|e|serde_json::to_string(e).unwrap()).collect();
 println!("entry bytes {}",texts[5].len());
 t("entry from json",n,|i|serde_json::from_str::<Entry>(&texts[i]).unwrap());
 t("stats",1000,|_|state.stats());
 t("clock", n, |_| state.config.timezone.clock(now));
 t("local_day", n, |_| state.config.timezone.local_day(now));
 t("render", n, |_| rules::time::render(now));
 t("try_parse", n, |_| rules::time::try_parse("2024-06-01T12:00:00.000Z"));
 let s=Instant::now();let snap=serde_json::to_string(&state.ledger).unwrap();println!("snapshot {:?} {} bytes",s.elapsed(),snap.len());
 let s=Instant::now();let l:Ledger=serde_json::from_str(&snap).unwrap();println!("restore {:?}",s.elapsed());assert!(l==state.ledger);
 let s=Instant::now();let snap=serde_json::to_string(&state.roster).unwrap();println!("roster json {:?} {}",s.elapsed(),snap.len());
 let s=Instant::now();let r:Roster=serde_json::from_str(&snap).unwrap();println!("roster restore {:?} {}",s.elapsed(),r.len());
 println!("{}",std::fs::read_to_string("/proc/self/status").unwrap().lines().find(|l|l.starts_with("VmRSS")).unwrap());
}
