//! The decoders of both releases, for whoever feeds them with foreign bytes.

/// Reads an answer of release 5 in every way in which one is read.
pub fn rest(body: &[u8]) {
    crate::rest::read_as_all(body);
}

/// Reads an answer of releases 3 and 4 in every way in which one is read.
pub fn nms(body: &[u8]) {
    crate::nms::read_as_all(body);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            super::rest(&bytes);
            super::nms(&bytes);
        }

        #[test]
        fn any_rows_are_read_or_refused(number: i64, text in "\\PC{0,40}", key in "path|guid|id|volume|members|lun") {
            for row in [json!(number), json!(text), json!({ &key: number }), json!({ &key: text }), json!([[text]])] {
                super::rest(json!({"data": [row], "links": [{"rel": "next", "href": text}]}).to_string().as_bytes());
                super::nms(json!({"result": row, "error": null}).to_string().as_bytes());
            }
        }
    }
}
