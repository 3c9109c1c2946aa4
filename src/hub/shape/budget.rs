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

    /// Refuses text that has grown over the limit, as escapes make it grow.
    pub fn check(&self, written: &[u8]) -> Result<(), Excess> {
        if written.len() > self.limits.1 {
            return Err(Excess::Output(self.limits.1));
        }
        Ok(())
    }
}
