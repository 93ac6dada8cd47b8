//! Operations on what does not fit.

use sanfleet_protocol::{
    finding::FindingCodeError,
    v1::{self, api_error::Kind},
};

use super::{Api, Failure};
use crate::doctor::Filter;

impl Api {
    pub(super) async fn doctor_list(
        self,
        request: v1::DoctorListRequest,
    ) -> Result<v1::DoctorListReply, Failure> {
        let (findings, looked_at_unix_ms) = self.reconciler.findings(&filter(request.filter)?);
        Ok(v1::DoctorListReply { findings, looked_at_unix_ms })
    }

    pub(super) async fn doctor_fix(
        self,
        request: v1::DoctorFixRequest,
    ) -> Result<v1::DoctorFixReply, Failure> {
        let fixed = self.reconciler.fix(&filter(request.filter)?).await?;
        let begun = fixed.begun.into_iter();
        Ok(v1::DoctorFixReply {
            fixed: begun
                .map(|(finding, run)| v1::FindingFixed { finding: Some(finding), run: run.to_string() })
                .collect(),
            left: fixed.left,
        })
    }
}

fn filter(asked: Option<v1::FindingFilter>) -> Result<Filter, Failure> {
    let v1::FindingFilter { code, host, array } = asked.unwrap_or_default();
    Ok(Filter {
        code: some(&code).map(str::parse).transpose()?,
        host: some(&host).map(str::parse).transpose()?,
        array: some(&array).map(str::parse).transpose()?,
    })
}

fn some(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

impl From<FindingCodeError> for Failure {
    fn from(error: FindingCodeError) -> Self {
        Self::new(Kind::Invalid, error, "`sanfleet doctor` shows the codes of what was found")
    }
}
