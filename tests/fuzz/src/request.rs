//! One request as the serving end reads it, down to the arguments of its method.
//!
//! The session is registered first: before that nearly every method is refused unread.

use std::io::{self, Read, Write};

use sanfleet_driver::{FrameBuffer, encode_frame, serve};
use serde_json::Value;

use crate::driver::Nothing;

const REGISTER: &str = r#"{"method": "plugin_register", "id": 100, "params":
    {"uri": "fuzz://", "password": null, "timeout": 30000, "flags": 0}}"#;

/// What a registered session answers to this body. A request without an answer is a find.
pub fn reply(body: &[u8]) -> Value {
    let mut sent = encode_frame(REGISTER.as_bytes()).unwrap_or_default();
    sent.extend(encode_frame(body).unwrap_or_default());
    let mut client = Client { sent, received: Vec::new() };
    // A session that breaks is an answer too; that it was told is what matters.
    let _ = serve(&mut Nothing, &mut client);
    let mut replies = FrameBuffer::new(usize::MAX);
    replies.push(&client.received);
    let [registered, answer] = [(); 2].map(|()| {
        let reply = replies.next_frame().ok().flatten().unwrap_or_default();
        serde_json::from_slice::<Value>(&reply)
    });
    assert!(registered.is_ok_and(|reply| reply.get("result").is_some()), "no session");
    let answer = answer.ok().filter(|reply| reply.get("result").is_some() != reply.get("error").is_some());
    assert!(answer.is_some(), "a request without an answer");
    answer.unwrap_or_default()
}

/// A client that says what it has to say and goes, with room for the replies.
struct Client {
    sent: Vec<u8>,
    received: Vec<u8>,
}

impl Read for &mut Client {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.sent.len().min(buffer.len());
        for (to, from) in buffer.iter_mut().zip(self.sent.drain(..count)) {
            *to = from;
        }
        Ok(count)
    }
}

impl Write for &mut Client {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.received.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use serde_json::json;

    use super::*;

    fn seed(method: &str) -> Value {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds/request");
        serde_json::from_slice(&fs::read(folder.join(format!("{method}.json"))).unwrap()).unwrap()
    }

    fn code(request: &Value) -> Value {
        reply(request.to_string().as_bytes())["error"]["code"].clone()
    }

    #[test]
    fn an_argument_of_a_wrong_type_is_read_and_refused() {
        for method in ["volume_create", "volume_mask", "volume_raid_create", "sanfleet_volume_map"] {
            let seed = seed(method);
            // Well formed it is refused for another reason: the method is not there.
            assert_eq!(code(&seed), 153, "{seed}");
            for argument in seed["params"].as_object().unwrap().keys().filter(|name| *name != "lun") {
                let mut wrong = seed.clone();
                wrong["params"][argument] = json!([[true]]);
                assert_eq!(code(&wrong), 402, "{wrong}");
            }
        }
    }
}
