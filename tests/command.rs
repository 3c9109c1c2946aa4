//! The command line, as users and scripts see it.

mod bare;
