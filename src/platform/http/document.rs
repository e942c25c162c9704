//! The OpenAPI 3.1 document, made from the route table.
//!
//! Invariant: every operation lists the problems any call can meet, the roles that may call it
//! (`x-roles`, from the one role table) and the security it needs.
//! Failure: none.

use utoipa::PartialSchema;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::path::{PathItem, PathsBuilder};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Ref,
    RefOr, ResponseBuilder,
};

use super::problem::{FieldProblem, Problem};
use super::route::{Access, Routes};

/// Statuses that a caller of any route must expect, with what they mean.
const PROBLEMS: &[(&str, &str)] = &[
    ("400", "The request is malformed."),
    (
        "401",
        "No credential, or not a valid one. A paired scanner that is shut out (`device_revoked`, \
         `device_rolled`) is told `\"wipe\": true`: it forgets its guest list and its token.",
    ),
    ("403", "The credential may not do this."),
    ("404", "Nothing here that this caller may know of."),
    ("409", "The state of things does not allow it."),
    ("410", "Expired."),
    ("412", "`If-Match` names another version."),
    ("413", "The body is too large."),
    ("415", "The body has the wrong content type."),
    ("422", "The content is wrong; `errors` names each field."),
    ("429", "Too many requests; see `Retry-After`."),
    ("503", "A needed part is away; see `Retry-After`."),
];

/// The whole document.
pub fn document(routes: &Routes) -> OpenApi {
    let mut components = ComponentsBuilder::new()
        .security_scheme(
            "bearer",
            SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)),
        )
        .schema("Problem", Problem::schema())
        .schema("FieldProblem", FieldProblem::schema());
    let mut paths = PathsBuilder::new();
    let mut tags = Vec::new();
    for module in &routes.modules {
        tags.push(
            TagBuilder::new()
                .name(module.tag)
                .description(Some(module.about))
                .build(),
        );
        for route in &module.routes {
            let mut operation = (route.operation)();
            operation.tags = Some(vec![module.tag.to_owned()]);
            for (status, meaning) in PROBLEMS {
                operation
                    .responses
                    .responses
                    .entry((*status).to_owned())
                    .or_insert_with(|| {
                        let content = ContentBuilder::new()
                            .schema(Some(Ref::from_schema_name("Problem")))
                            .build();
                        RefOr::T(
                            ResponseBuilder::new()
                                .description(*meaning)
                                .content("application/problem+json", content)
                                .build(),
                        )
                    });
            }
            if !matches!(route.access, Access::Public) {
                let bearer = SecurityRequirement::new("bearer", Vec::<String>::new());
                operation.security = Some(match anonymous(route.access) {
                    true => vec![SecurityRequirement::default(), bearer],
                    false => vec![bearer],
                });
            }
            let roles: Vec<_> = route
                .access
                .roles()
                .iter()
                .map(|role| role.as_str())
                .collect();
            operation.extensions = Some(
                ExtensionsBuilder::new()
                    .add("x-roles", serde_json::json!(roles))
                    .build(),
            );
            paths = paths.path(
                route.path.clone(),
                PathItem::from_http_methods(route.methods.clone(), operation),
            );
            let mut schemas = Vec::new();
            (route.schemas)(&mut schemas);
            components = components.schemas_from_iter(schemas);
        }
    }
    OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("Pulse")
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some(env!("CARGO_PKG_DESCRIPTION")))
                .license(Some(
                    LicenseBuilder::new()
                        .name("Apache-2.0")
                        .identifier(Some("Apache-2.0"))
                        .build(),
                ))
                .build(),
        )
        .paths(paths.build())
        .components(Some(components.build()))
        .tags(Some(tags))
        .build()
}

fn anonymous(access: Access) -> bool {
    access.roles().contains(&rules::roles::Role::Anonymous)
}
