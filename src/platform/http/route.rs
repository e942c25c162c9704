//! The route table.
//!
//! Invariant: a route is made from the same item as its entry in the API document; literal paths
//! win over `{parameter}` paths.
//! Failure: two routes on one path and method, or a path `matchit` does not take, is a programming
//! error that the host tests catch by building the table.

use std::future::Future;
use std::pin::Pin;

use rules::roles::{Resource, Role, Verb};
use utoipa::openapi::path::{HttpMethod, Operation};
use utoipa::openapi::{RefOr, Schema};

use super::call::Call;
use super::reply::Answer;

/// Who may call a route.
#[derive(Clone, Copy, Debug)]
pub enum Access {
    /// Anyone; no credential is looked at.
    Public,
    /// Any valid credential of a person, tenant or not.
    Person,
    /// The roles that the role table allows this.
    May(Verb, Resource),
    /// Holders of the operator token.
    Operator,
}

impl Access {
    /// The roles that may call; none for routes without a tenant.
    pub fn roles(self) -> &'static [Role] {
        match self {
            Self::May(verb, resource) => rules::roles::allowed(verb, resource),
            Self::Public | Self::Person | Self::Operator => &[],
        }
    }
}

type Handler = for<'a> fn(Call<'a>) -> Pin<Box<dyn Future<Output = Answer> + 'a>>;
type Schemas = Vec<(String, RefOr<Schema>)>;

/// One route: how it is reached, who may, what it does, how it is documented.
pub struct Route {
    /// Who may call it.
    pub access: Access,
    pub(super) handler: Handler,
    /// The path with its parameters in braces.
    pub path: String,
    pub(super) methods: Vec<HttpMethod>,
    pub(super) operation: fn() -> Operation,
    pub(super) schemas: fn(&mut Schemas),
}

impl Route {
    /// `P` is the item `#[utoipa::path]` makes of the handler. Use the `routes!` macro.
    pub fn of<P>(access: Access, handler: Handler) -> Self
    where
        P: utoipa::Path + utoipa::__dev::SchemaReferences,
    {
        Self {
            access,
            handler,
            path: P::path(),
            methods: P::methods(),
            operation: P::operation,
            schemas: P::schemas,
        }
    }

    /// The methods it answers, in capitals.
    pub fn methods(&self) -> impl Iterator<Item = &'static str> {
        self.methods.iter().map(method_name)
    }
}

/// The routes of one module: a tag of the API document.
pub struct Module {
    /// The tag.
    pub tag: &'static str,
    /// One sentence about it.
    pub about: &'static str,
    /// The routes.
    pub routes: Vec<Route>,
}

/// Lists routes: `routes![__path_add, add => Access::May(Verb::Write, Resource::Gate); …]`.
macro_rules! routes {
    ($($item:ident, $handler:ident => $access:expr;)*) => {
        vec![$($crate::platform::http::Route::of::<$item>($access, |call| Box::pin($handler(call)))),*]
    };
}
pub(crate) use routes;

/// All routes, ready to be matched.
pub struct Routes {
    /// The modules, in the order of the document.
    pub modules: Vec<Module>,
    router: matchit::Router<Vec<(&'static str, usize, usize)>>,
}

/// What a path and a method lead to.
pub enum Found<'r, 'p> {
    /// A route and its path parameters.
    Route(&'r Route, matchit::Params<'r, 'p>),
    /// The path exists with these methods only.
    Methods(String),
    /// No such path.
    Nothing,
}

impl Routes {
    /// Builds the table.
    pub fn new(modules: Vec<Module>) -> Result<Self, String> {
        let mut by_path: std::collections::BTreeMap<String, Vec<(&'static str, usize, usize)>> =
            std::collections::BTreeMap::new();
        for (m, module) in modules.iter().enumerate() {
            for (r, route) in module.routes.iter().enumerate() {
                let methods = by_path.entry(route.path.clone()).or_default();
                for name in route.methods() {
                    if methods.iter().any(|(taken, ..)| *taken == name) {
                        return Err(format!("two routes for {name} {}", route.path));
                    }
                    methods.push((name, m, r));
                }
            }
        }
        let mut router = matchit::Router::new();
        for (path, methods) in by_path {
            router
                .insert(path, methods)
                .map_err(|error| error.to_string())?;
        }
        Ok(Self { modules, router })
    }

    /// Looks a path and method up. `HEAD` is answered as `GET`.
    pub fn find<'r, 'p>(&'r self, method: &str, path: &'p str) -> Found<'r, 'p> {
        let Ok(matched) = self.router.at(path) else {
            return Found::Nothing;
        };
        let wanted = if method == "HEAD" { "GET" } else { method };
        let route = matched
            .value
            .iter()
            .find(|(name, ..)| *name == wanted)
            .and_then(|(_, m, r)| self.modules.get(*m)?.routes.get(*r));
        match route {
            Some(route) => Found::Route(route, matched.params),
            None => {
                let names: Vec<_> = matched.value.iter().map(|(name, ..)| *name).collect();
                Found::Methods(names.join(", "))
            }
        }
    }
}

/// The method in capitals.
pub(super) fn method_name(method: &HttpMethod) -> &'static str {
    match method {
        HttpMethod::Get => "GET",
        HttpMethod::Post => "POST",
        HttpMethod::Put => "PUT",
        HttpMethod::Delete => "DELETE",
        HttpMethod::Options => "OPTIONS",
        HttpMethod::Head => "HEAD",
        HttpMethod::Patch => "PATCH",
        HttpMethod::Trace => "TRACE",
    }
}
