//! Trials as JSON lines.

use std::io::{self, BufRead, Write};

use super::study::Trial;

/// Why a log could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The reader failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A line that is no trial, and not the last one.
    #[error("line {line} of the log is no trial: {problem}")]
    Line {
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        problem: String,
    },
}

impl Trial {
    /// Writes the trial as one line. Flush after each: a log that ends in the middle of a line is still good.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_line(&self, out: &mut dyn Write) -> io::Result<()> {
        let line = serde_json::to_string(self).map_err(io::Error::other)?;
        writeln!(out, "{line}")
    }

    /// Reads the trials of a log. Blank lines do not count; a last line that is cut off is left out.
    ///
    /// # Errors
    /// [`LogError`].
    pub fn read_lines(log: impl BufRead) -> Result<Vec<Self>, LogError> {
        let mut trials = Vec::new();
        let mut wrong: Option<LogError> = None;
        for (number, line) in log.lines().enumerate() {
            let line = line?;
            if line.trim().is_empty() {
                continue;
            }
            if let Some(wrong) = wrong {
                return Err(wrong);
            }
            match serde_json::from_str(&line) {
                Ok(trial) => trials.push(trial),
                Err(error) => wrong = Some(LogError::Line { line: number + 1, problem: error.to_string() }),
            }
        }
        Ok(trials)
    }
}
