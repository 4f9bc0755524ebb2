//! Time-zone rules over HTTP: what is installed, and newer ones brought by hand.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use data_encoding::BASE64;
use domain::Command as DomainCommand;
use domain::zones::{self, Command, Install, ZoneFile};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::fields::Fields;
use crate::input::Input;
use crate::problem::{NamedIn, Problem, of_query};
use crate::reading::View;
use crate::state::Shared;
use crate::submit::{Stored, submit};

pub(crate) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list, install))
}

/// What is installed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Zones)]
pub(crate) struct ZonesJson {
    /// The newest release of which everything is installed; absent before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    release: Option<ReleaseJson>,
    zones: Vec<ZoneJson>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ZoneRelease)]
pub(crate) struct ReleaseJson {
    #[schema(example = "2026a")]
    version: String,
    zones: u32,
    installed_at: String,
    installed_by: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Zone)]
pub(crate) struct ZoneJson {
    #[schema(example = "Europe/Helsinki")]
    name: String,
    /// The release its rules come from.
    version: String,
}

/// Part of a release of the IANA database: at most 100 zones and 128 KiB at once.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct InstallBody {
    #[schema(example = "2026a")]
    version: String,
    /// How many zones the whole release has.
    total: u32,
    zones: Vec<ZoneBody>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ZoneBody {
    name: String,
    /// A TZif file (RFC 8536) in base64.
    tzif: String,
}

/// Lists the installed time zones by name.
#[utoipa::path(get, path = "/v1/zones", tag = "zones", responses((status = 200, body = ZonesJson)))]
async fn list(mut view: View) -> Result<Response, Problem> {
    let release = zones::release(&mut view.0).await.map_err(of_query)?;
    let rows = zones::zones(&mut view.0).await.map_err(of_query)?;
    let body = ZonesJson {
        release: release.map(|release| ReleaseJson {
            version: release.version,
            zones: release.zones,
            installed_at: view.1.rfc3339(release.installed_at),
            installed_by: release.installed_by,
        }),
        zones: rows
            .into_iter()
            .map(|row| ZoneJson {
                name: row.name,
                version: row.version,
            })
            .collect(),
    };
    Ok(view.answer(&body))
}

/// Installs rules of time zones, of the same release as those installed or of a newer one.
#[utoipa::path(put, path = "/v1/zones", tag = "zones", request_body = InstallBody, responses((status = 200, body = Stored)))]
async fn install(
    State(shared): State<Shared>,
    input: Input<InstallBody>,
) -> Result<Json<Stored>, Problem> {
    let InstallBody {
        version,
        total,
        zones,
    } = input.value;
    let mut fields = Fields::default();
    fields.take("/version", zones::check_version(&version));
    let mut files = Vec::with_capacity(zones.len());
    for (index, zone) in zones.into_iter().enumerate() {
        let read = BASE64.decode(zone.tzif.as_bytes());
        let read = read.map_err(|error| format!("is not base64: {error}"));
        if let Some(tzif) = fields.take(format!("/zones/{index}/tzif"), read) {
            files.push(ZoneFile {
                name: zone.name,
                tzif,
            });
        }
    }
    fields.finish()?;
    let command = Command::Install(Install {
        version,
        total,
        zones: files,
    });
    let done = submit(
        &shared,
        input.order,
        DomainCommand::Zones(command),
        NamedIn::Body,
    )
    .await?;
    Ok(Json(done.stored))
}
