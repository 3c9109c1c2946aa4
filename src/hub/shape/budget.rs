//! How much reading one body may cost.

/// A body that would cost too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Excess {
    #[error("it has more than {0} objects and list items")]
    Elements(usize),
    #[error("clients would get more than {0} bytes")]
    Output(usize),
}

/// What reading a body may still cost.
#[derive(Debug)]
pub struct Budget {
    elements: usize,
    output: usize,
    limits: (usize, usize),
}

impl Budget {
    /// So many objects and list items, and so many bytes written.
    pub fn new(elements: usize, output: usize) -> Self {
        Budget {
            elements,
            output,
            limits: (elements, output),
        }
    }

    /// How many objects and list items may still come.
    pub(super) fn elements(&self) -> usize {
        self.elements
    }

    pub(super) fn element(&mut self) -> Result<(), Excess> {
        self.elements = self
            .elements
            .checked_sub(1)
            .ok_or(Excess::Elements(self.limits.0))?;
        Ok(())
    }

    pub(super) fn output(&mut self, bytes: usize) -> Result<(), Excess> {
        self.output = self
            .output
            .checked_sub(bytes)
            .ok_or(Excess::Output(self.limits.1))?;
        Ok(())
    }

    /// Counts a text as clients get it: its bytes, and those that escapes add.
    pub(super) fn text(&mut self, text: &str) -> Result<(), Excess> {
        // Control characters without a short escape take six bytes in place of one.
        const GROWTH: usize = 5;
        // Text is counted in parts of this size, so that one that is too long is not read whole.
        const LOOKED_AT: usize = 16 << 10;
        self.output(text.len())?;
        for part in text.as_bytes().chunks(LOOKED_AT) {
            let escaped = |byte: &&u8| matches!(byte, 0..=7 | 0xb | 0xe..=0x1f | 0x7f);
            self.output(GROWTH * part.iter().filter(escaped).count())?;
        }
        Ok(())
    }

    /// Refuses text that has grown over the limit, as escapes make it grow.
    pub fn check(&self, written: &[u8]) -> Result<(), Excess> {
        if written.len() > self.limits.1 {
            return Err(Excess::Output(self.limits.1));
        }
        Ok(())
    }
}
