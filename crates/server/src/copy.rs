//! COPY's streams.

use pglite::protocol::{CommandTag, CopyFormat, CopyRows, Script};

use crate::connection::{Connection, End, Handled, attempt};
use crate::report::Fatal;
use crate::wire::Cursor;

impl Connection<'_> {
    fn copy_response(&mut self, kind: u8, format: CopyFormat) {
        self.out.begin(kind);
        self.out.byte(u8::from(format.binary));
        self.out.i16(format.columns as i16);
        for _ in 0..format.columns {
            self.out.i16(i16::from(format.binary));
        }
        self.out.end();
    }

    /// CopyOutResponse.
    pub(crate) fn copy_out_response(&mut self, format: CopyFormat) {
        self.copy_response(b'H', format);
        self.copying_out = true;
    }

    /// CopyData to the client: by the protocol a message is a row.
    pub(crate) fn copy_data(&mut self, data: &CopyRows) -> Result<(), End> {
        for row in data.iter() {
            self.out.begin(b'd');
            self.out.raw(row);
            self.out.end();
        }
        self.flush_if_full()
    }

    /// The end of a command; CopyDone before it if data went out.
    pub(crate) fn complete(&mut self, tag: &CommandTag) {
        if std::mem::take(&mut self.copying_out) {
            self.out.empty(b'c');
        }
        // It may have been SET: what follows is in the new encoding already.
        self.out.encoding = self.session.client_encoding();
        self.notices();
        self.out.command_complete(tag);
    }

    /// Takes the data of COPY FROM STDIN until the client ends or gives up.
    pub(crate) fn copy_in(&mut self, format: CopyFormat, script: Option<&mut Script>) -> Handled {
        self.copy_response(b'G', format);
        self.flush()?;
        let mut wanted = true;
        loop {
            match self.next_message()? {
                b'd' => {
                    if wanted {
                        wanted = attempt!(self.session.copy_data(self.stream.body()));
                    }
                }
                b'c' => {
                    let tag = attempt!(self.session.copy_done(script));
                    self.complete(&tag);
                    return Ok(Ok(()));
                }
                b'f' => {
                    let mut message = Cursor::new(self.stream.body()).in_encoding(self.out.encoding);
                    let reason = match message.cstr() {
                        Ok(reason) => reason.into_owned(),
                        Err(e) => e.text.into_owned(),
                    };
                    return Ok(Err(self.session.copy_fail(&reason)));
                }
                b'H' | b'S' => {}
                kind => {
                    let text = format!("unexpected message type 0x{kind:02X} during COPY from stdin");
                    return Err(End::Fatal(Fatal::protocol(text)));
                }
            }
        }
    }
}
