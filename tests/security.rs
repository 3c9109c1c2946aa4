//! Attacks by who may publish, by Redis peers, by web pages and by other users of the machine.

mod certificate;
mod messages;
