//! Frames that break RFC 6455.

/// A breach of the protocol, with the close code that answers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    #[error("a frame that breaks RFC 6455: {0}")]
    Protocol(&'static str),
    #[error("a text frame that is not UTF-8")]
    Utf8,
}

impl FrameError {
    pub fn close_code(self) -> u16 {
        match self {
            FrameError::Protocol(_) => 1002,
            FrameError::Utf8 => 1007,
        }
    }
}
