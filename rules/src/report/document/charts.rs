//! The charts of a report, in the order it names them.
//!
//! Invariant: a chart is drawn once, however often it is named; its content id depends on its place
//! only, so the same report names the same attachments.
//! Failure: a chart that cannot be drawn is told in words where it was named.

use super::Chart;
use crate::civil::Zone;
use crate::report::Dataset;
use crate::report::chart::{self, Spec};

/// Most charts of a message.
pub const MAX_CHARTS: usize = 8;

/// The charts of a report.
pub struct Charts<'d> {
    data: &'d [Dataset],
    zone: &'d Zone,
    /// Charts are shown as pictures.
    pictures: bool,
    /// Destination and heading of each.
    named: Vec<(String, String)>,
    drawn: Vec<Chart>,
}

impl<'d> Charts<'d> {
    /// None yet.
    pub fn new(data: &'d [Dataset], zone: &'d Zone, pictures: bool) -> Self {
        Self {
            data,
            zone,
            pictures,
            named: Vec::new(),
            drawn: Vec::new(),
        }
    }

    /// The chart that a picture names.
    pub fn place(&mut self, destination: &str, title: &str) -> Option<&Chart> {
        let named = (destination.to_owned(), title.to_owned());
        if let Some(at) = self.named.iter().position(|other| *other == named) {
            return self.drawn.get(at);
        }
        if !self.pictures || self.drawn.len() >= MAX_CHARTS {
            return None;
        }
        let chart = self.read(destination, title)?.ok()?;
        let (scene, alt) = (chart.scene(), chart.alt());
        self.named.push(named);
        self.drawn.push(Chart {
            content_id: format!("chart-{}@pulse", self.drawn.len() + 1),
            svg: scene.svg(&alt),
            scene,
            alt,
        });
        self.drawn.last()
    }

    /// What stands where no picture can: the description, or why there is no chart.
    pub fn told(&self, destination: &str, title: &str) -> String {
        let title = title.trim();
        match self.read(destination, title) {
            Some(Ok(chart)) => chart.alt(),
            Some(Err(chart::Missing(why))) if title.is_empty() => format!("No chart: {why}."),
            Some(Err(chart::Missing(why))) => format!("{title} (no chart: {why})"),
            None => title.to_owned(),
        }
    }

    /// What was drawn.
    pub fn into_drawn(self) -> Vec<Chart> {
        self.drawn
    }

    fn read(&self, destination: &str, title: &str) -> Option<Result<chart::Chart, chart::Missing>> {
        let spec = Spec::parse(destination)?;
        Some(spec.and_then(|spec| chart::Chart::of(&spec, title, self.data, self.zone)))
    }
}
