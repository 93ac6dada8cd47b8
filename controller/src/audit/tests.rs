use std::sync::Mutex as StdMutex;

use futures::future::BoxFuture;

use super::*;

/// A list, with whoever is to come between.
#[derive(Debug, Default)]
struct List {
    records: StdMutex<Vec<Vec<u8>>>,
    silent: StdMutex<bool>,
    /// Stores the next record and does not say so.
    mumbles: StdMutex<bool>,
}

fn unheard() -> Silent {
    Silent::from(Box::<dyn std::error::Error + Send + Sync>::from("no answer"))
}

impl AuditStore for List {
    fn last(&self) -> BoxFuture<'_, Result<Option<Stored>, Silent>> {
        let records = self.records.lock().unwrap();
        let last =
            records.last().map(|record| Stored { record: record.clone(), sequence: records.len() as u64 });
        Box::pin(async move { Ok(last) })
    }

    fn append(&self, record: Vec<u8>, expected: u64) -> BoxFuture<'_, Result<Appended, Silent>> {
        let mut records = self.records.lock().unwrap();
        if std::mem::take(&mut *self.mumbles.lock().unwrap()) {
            records.push(record);
            return Box::pin(async { Err(unheard()) });
        }
        let appended = match (*self.silent.lock().unwrap(), records.len() as u64 == expected) {
            (true, _) => Err(unheard()),
            (false, false) => Ok(Appended::Moved),
            (false, true) => {
                records.push(record);
                Ok(Appended::At(records.len() as u64))
            }
        };
        Box::pin(async move { appended })
    }
}

fn key() -> CommandKey {
    CommandKey::from_bytes(&[7; 32])
}

fn controller(list: &Arc<List>, name: &str) -> Audit {
    Audit::new(Arc::clone(list) as Arc<dyn AuditStore>, key(), name.parse().unwrap(), || 1_000)
}

fn read(list: &List) -> Vec<v1::AuditRecord> {
    let mut last = None;
    let records = list.records.lock().unwrap();
    records
        .iter()
        .map(|bytes| {
            let (record, link) = audit::follow(last, bytes, &[key().public()]).unwrap();
            last = Some(link);
            record
        })
        .collect()
}

async fn ask(audit: &Audit, operation: &str) -> Result<Asked, AuditError> {
    audit.asked(&"alice".parse().unwrap(), operation, "{}").await
}

#[tokio::test]
async fn controllers_that_write_at_the_same_time_write_one_chain() {
    let list = Arc::new(List::default());
    let (one, other) = (controller(&list, "c1"), controller(&list, "c2"));
    for _ in 0..10 {
        let (first, second) = futures::join!(ask(&one, "volume.clone"), ask(&other, "volume.delete"));
        one.decided(second.unwrap(), String::new(), None).await.unwrap();
        other.decided(first.unwrap(), "run".to_owned(), None).await.unwrap();
    }
    let records = read(&list);
    assert_eq!(records.len(), 40);
    assert!(records.iter().any(|record| record.controller == "c1"));
    assert!(records.iter().any(|record| record.controller == "c2"));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_silent_for_a_while_is_waited_for_and_nothing_is_written_twice() {
    let list = Arc::new(List::default());
    let audit = controller(&list, "c1");
    *list.mumbles.lock().unwrap() = true;
    let first = ask(&audit, "volume.clone").await.unwrap();
    *list.silent.lock().unwrap() = true;
    let later = async {
        tokio::time::sleep(std::time::Duration::from_secs(3)).await;
        *list.silent.lock().unwrap() = false;
    };
    let (second, ()) = futures::join!(ask(&audit, "volume.delete"), later);
    assert_eq!((first, second.unwrap(), read(&list).len()), (Asked(1), Asked(2), 2));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_written_down_is_an_error_and_leaves_the_chain_whole() {
    let list = Arc::new(List::default());
    let audit = controller(&list, "c1");
    ask(&audit, "volume.clone").await.unwrap();
    *list.silent.lock().unwrap() = true;
    assert!(matches!(ask(&audit, "volume.clone").await, Err(AuditError::Silent(_))));
    *list.silent.lock().unwrap() = false;
    ask(&audit, "volume.clone").await.unwrap();
    assert_eq!(read(&list).len(), 2);
}

#[tokio::test]
async fn no_text_makes_a_record_that_cannot_be_read_again() {
    let list = Arc::new(List::default());
    let long = "ä".repeat(1 << 20);
    let asked =
        controller(&list, "c1").asked(&"alice".parse().unwrap(), "volume.clone", &long).await.unwrap();
    let refused = v1::ApiError { message: long.clone(), hint: long.clone(), ..Default::default() };
    controller(&list, "c1").decided(asked, "run".to_owned(), Some(refused)).await.unwrap();
    let ended = v1::AuditEnded { run: "run".to_owned(), error: long, ..Default::default() };
    controller(&list, "c2").ended(ended).await.unwrap();
    let records = read(&list);
    let Some(Entry::Asked(asked)) = &records[0].entry else { panic!("{records:?}") };
    assert!(asked.request.ends_with("ä…") && records.len() == 3);
}
