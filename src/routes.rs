//! All routes of the product.
//!
//! Invariant: a module's routes are listed by the module; this is the only place that knows all.
//! Failure: a table that cannot be built answers every request with 500; the host tests build it.

use std::cell::OnceCell;
use std::rc::Rc;

use worker::{Context, Env, web_sys};

use crate::platform::http::{self, Module, Routes};
use crate::{checkin, delivery, identity, monitor, operations, reports, tenant};

/// Every module's routes, in the order of the API document.
pub fn modules() -> Vec<Module> {
    let mut modules = Vec::new();
    modules.extend(identity::routes());
    modules.extend(checkin::routes());
    modules.extend(reports::routes());
    modules.extend(monitor::routes());
    modules.extend(tenant::routes());
    modules.extend(delivery::routes());
    modules.extend(operations::routes());
    modules
}

thread_local! {
    static ROUTES: OnceCell<Result<Rc<Routes>, String>> = const { OnceCell::new() };
}

/// The table of this isolate.
pub fn table() -> Result<Rc<Routes>, String> {
    ROUTES.with(|cell| {
        cell.get_or_init(|| Routes::new(modules()).map(Rc::new))
            .clone()
    })
}

/// Answers one request.
pub async fn serve(
    request: web_sys::Request,
    env: Env,
    context: Context,
) -> worker::Result<web_sys::Response> {
    let routes = table().map_err(worker::Error::RustError)?;
    http::serve(&routes, request, env, context).await
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::platform::http::{Found, document};

    #[test]
    fn every_route_is_in_the_document_and_nothing_else_is() {
        let table = table().unwrap();
        let routed: Vec<(String, String)> = table
            .modules
            .iter()
            .flat_map(|module| &module.routes)
            .flat_map(|route| {
                route
                    .methods()
                    .map(|name| (route.path.clone(), name.to_owned()))
            })
            .collect();
        let document = serde_json::to_value(document(&table)).unwrap();
        let described: BTreeSet<(String, String)> = document["paths"]
            .as_object()
            .unwrap()
            .iter()
            .flat_map(|(path, item)| {
                let operations = item.as_object().unwrap().iter();
                let described = operations.filter(|(_, it)| it["operationId"].is_string());
                described.map(|(method, _)| (path.clone(), method.to_uppercase()))
            })
            .collect();
        assert!(routed.len() > 50, "{}", routed.len());
        assert_eq!(routed.len(), described.len());
        assert_eq!(routed.into_iter().collect::<BTreeSet<_>>(), described);
        for (path, method) in &described {
            let asked = path.replace(['{', '}'], "");
            let found =
                matches!(table.find(method, &asked), Found::Route(route, _) if route.path == *path);
            assert!(found, "{method} {path} does not lead to its route");
        }
    }
}
