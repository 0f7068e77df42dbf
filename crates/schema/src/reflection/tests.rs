#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::*;
use crate::schema::Schema;
use crate::{compile, outline};

const TEXT: &str = "use expiration
use self
// caveat doc
// second line
caveat zcav(num int, names list<string>, props map<any>) {
  num > 3 && names[0] == 'a' && props.a == 1
}
caveat acav(when timestamp) { when < timestamp('2020-01-01T00:00:00Z') }

/** user doc */
definition user {}

/* block
   * starred

     three  */
// x
definition group {
  // member doc
  relation member: user | group#member | user:* with acav | group with acav and expiration
  relation zowner: group#...
  relation aowner: user

  // perm doc
  permission zview = member + (aowner - zowner)
  permission aview = member & zowner->zview
}

definition doc {
  relation parent: doc
  relation org: group
  relation pub: user:*
  permission view = pub + parent->view + org->zview
  permission mee = self + parent->missing
  permission none = nil
  permission all_of = org.all(aview) + view
}

definition pre/doc2 {
  relation ddd: doc
  permission see = ddd->view
}
";

fn schema(text: &str) -> Schema {
    compile(text).unwrap().schema
}

/// The names of what is reflected: `definition[relations|permissions]`, then caveats.
fn names(schema: &Schema, filters: &[SchemaFilter]) -> String {
    let reflected = reflect(schema, filters).unwrap();
    let mut names = Vec::new();
    for definition in reflected.definitions {
        let relations: Vec<&str> = definition.relations.iter().map(|one| one.name.as_str()).collect();
        let permissions: Vec<&str> = definition.permissions.iter().map(|one| one.name.as_str()).collect();
        names.push(format!("{}[{}|{}]", definition.name, relations.join(" "), permissions.join(" ")));
    }
    names.extend(reflected.caveats.into_iter().map(|caveat| caveat.name.to_string()));
    names.join(" ")
}

fn filter(definition: &str, caveat: &str, relation: &str, permission: &str) -> SchemaFilter {
    let some = |text: &str| (!text.is_empty()).then(|| text.into());
    SchemaFilter {
        definition: some(definition),
        caveat: some(caveat),
        relation: some(relation),
        permission: some(permission),
    }
}

#[test]
fn definitions_come_by_name_and_members_in_their_order() {
    let expect = "doc[parent org pub|view mee none all_of] group[member zowner aowner|zview aview] \
                  pre/doc2[ddd|see] user[|] acav zcav";
    assert_eq!(names(&schema(TEXT), &[]), expect);
}

#[test]
fn comments_keep_their_marks_and_lose_the_blanks_around_their_lines() {
    let reflected = reflect(&schema(TEXT), &[]).unwrap();
    let group = &reflected.definitions[1];
    assert_eq!(group.comment, "/* block\n* starred\n\nthree  */\n// x");
    assert_eq!(group.relations[0].comment, "// member doc");
    assert_eq!(group.relations[1].comment, "");
    assert_eq!(group.permissions[0].comment, "// perm doc");
    assert_eq!(reflected.definitions[3].comment, "/** user doc */");
    assert_eq!(reflected.caveats[1].comment, "// caveat doc\n// second line");
}

#[test]
fn subjects_are_as_written_and_parameters_by_name() {
    let reflected = reflect(&schema(TEXT), &[]).unwrap();
    let group = &reflected.definitions[1];
    assert_eq!(group.relations[0].subjects, schema(TEXT).definitions["group"].relations["member"].allowed);
    assert_eq!(group.relations[0].definition, "group");
    let zcav = &reflected.caveats[1];
    let parameters: Vec<String> =
        zcav.parameters.iter().map(|one| format!("{} {}", one.name, one.parameter_type)).collect();
    assert_eq!(parameters, ["names list<string>", "num int", "props map<any>"]);
    assert_eq!(zcav.expression, "num > 3 && names[0] == \"a\" && props.a == 1");
}

const FILTERED: &str = "
caveat acav(when timestamp) { when < timestamp('2020-01-01T00:00:00Z') }
caveat abcav(when int) { when < 2 }
definition user {}
definition group {
  relation member: user | group#member
  relation manager: user
  permission mem2 = member
  permission man = manager
}
definition grouse {}
definition doc {
  relation viewer: group#member
  permission view = viewer
}
";

#[test]
fn filters_are_beginnings_and_add_up() {
    let schema = schema(FILTERED);
    let ask = |filters: &[SchemaFilter]| names(&schema, filters);
    let f = filter;
    let whole = "group[member manager|mem2 man]";
    assert_eq!(ask(&[f("", "", "", "")]), "");
    assert_eq!(ask(&[f("g", "", "", "")]), format!("{whole} grouse[|]"));
    assert_eq!(ask(&[f("", "a", "", "")]), "abcav acav");
    assert_eq!(ask(&[f("", "a", "", ""), f("", "", "", "")]), "abcav acav");
    assert_eq!(ask(&[f("doc", "", "", ""), f("", "ab", "", "")]), "doc[viewer|view] abcav");
    assert_eq!(ask(&[f("GROUP", "", "", "")]), "");
    assert_eq!(ask(&[f("g", "", "mem", "")]), "group[member|mem2 man] grouse[|]");
    assert_eq!(ask(&[f("g", "", "", "mem")]), "group[member manager|mem2] grouse[|]");
    assert_eq!(ask(&[f("group", "", "zzz", "")]), "group[|mem2 man]");
}

#[test]
fn a_filter_for_relations_hides_all_others_of_every_definition() {
    let schema = schema(FILTERED);
    let ask = |filters: &[SchemaFilter]| names(&schema, filters);
    let f = filter;
    assert_eq!(ask(&[f("g", "", "", ""), f("g", "", "mem", "")]), "group[member|mem2 man] grouse[|]");
    assert_eq!(ask(&[f("group", "", "man", ""), f("doc", "", "", "v")]), "doc[|view] group[manager|]");
    assert_eq!(ask(&[f("doc", "", "", ""), f("group", "", "mem", "")]), "doc[|view] group[member|mem2 man]");
    assert_eq!(
        ask(&[f("group", "", "mem", ""), f("gr", "", "man", "")]),
        "group[member manager|mem2 man] grouse[|]"
    );
}

#[test]
fn filters_that_contradict_themselves_are_refused() {
    let fault = |filter| reflect(&schema(FILTERED), &[SchemaFilter::default(), filter]).unwrap_err();
    for (given, expect) in [
        (filter("g", "a", "", ""), FilterFault::DefinitionAndCaveat),
        (filter("g", "a", "b", ""), FilterFault::DefinitionAndCaveat),
        (filter("", "", "a", ""), FilterFault::MemberWithoutDefinition),
        (filter("", "", "", "a"), FilterFault::MemberWithoutDefinition),
        (filter("", "c", "a", ""), FilterFault::MemberWithoutDefinition),
        (filter("", "", "a", "b"), FilterFault::MemberWithoutDefinition),
        (filter("g", "", "a", "b"), FilterFault::RelationAndPermission),
    ] {
        assert_eq!(fault(given), FilterError { position: 1, fault: expect });
    }
}

#[test]
fn more_filters_than_may_be_given_are_refused() {
    let filters = vec![filter("g", "", "", ""); FILTERS_MAX + 1];
    assert!(reflect(&schema(FILTERED), &filters[..FILTERS_MAX]).is_ok());
    let error = FilterError { position: FILTERS_MAX, fault: FilterFault::TooMany };
    assert_eq!(reflect(&schema(FILTERED), &filters), Err(error));
}

/// References as `definition#name`, a permission with `!`.
fn listed(references: Vec<MemberReference>) -> String {
    let one = |found: MemberReference| {
        format!("{}#{}{}", found.definition, found.name, if found.is_permission { "!" } else { "" })
    };
    references.into_iter().map(one).collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn computable(schema: &Schema, asked: &str, expect: &str) {
    let (definition, relation) = asked.split_once('#').unwrap_or((asked, ""));
    assert_eq!(
        listed(computable_permissions(schema, definition, relation, None).unwrap()),
        expect,
        "{asked}"
    );
}

#[track_caller]
fn dependent(schema: &Schema, asked: &str, expect: &str) {
    let (definition, permission) = asked.split_once('#').unwrap();
    assert_eq!(listed(dependent_relations(schema, definition, permission).unwrap()), expect, "{asked}");
}

#[test]
fn what_a_relation_may_change_is_followed_through_permissions_arrows_and_usersets() {
    let schema = schema(TEXT);
    computable(
        &schema,
        "user",
        "doc#all_of! doc#pub doc#view! group#aowner group#aview! group#member group#zview! pre/doc2#see!",
    );
    computable(&schema, "group#member", "doc#all_of! doc#view! group#aview! group#zview! pre/doc2#see!");
    computable(&schema, "group#zview", "doc#all_of! doc#view! group#aview! pre/doc2#see!");
    computable(&schema, "doc#pub", "doc#all_of! doc#view! pre/doc2#see!");
    // The relation that an arrow starts from gives the permission no subject.
    computable(&schema, "doc#parent", "");
    computable(&schema, "doc#view", "doc#all_of! pre/doc2#see!");
    computable(&schema, "doc", "doc#mee! doc#parent pre/doc2#ddd");
    computable(&schema, "doc#mee", "");
    let filtered = |beginning| listed(computable_permissions(&schema, "group", "member", beginning).unwrap());
    assert_eq!(filtered(Some("do")), "doc#all_of! doc#view!");
    assert_eq!(filtered(Some("pre")), "pre/doc2#see!");
    assert_eq!(filtered(Some("zzz")), "");
}

const REACHED: &str = "use self
definition user {}
definition org {
  relation admin: user
  relation boss: user
  permission manage = admin
  permission mee = self
}
definition doc {
  relation org: org#boss
  relation anyorg: org:*
  permission view = org->manage
  permission vmee = org->mee
  permission nil_too = view & nil
}
";

#[test]
fn a_wildcard_counts_for_every_member_of_its_type() {
    let schema = schema(REACHED);
    computable(&schema, "org#boss", "doc#anyorg doc#org");
    computable(&schema, "org", "doc#anyorg doc#vmee! org#mee!");
    computable(&schema, "org#manage", "doc#anyorg doc#nil_too! doc#view!");
    computable(&schema, "user", "doc#anyorg doc#nil_too! doc#org doc#view! org#admin org#boss org#manage!");
}

#[test]
fn what_a_permission_reads_has_the_start_of_arrows_but_not_its_usersets() {
    let reached = schema(REACHED);
    dependent(&reached, "doc#view", "doc#org org#admin org#manage!");
    dependent(&reached, "doc#vmee", "doc#org org#mee!");
    dependent(&reached, "org#mee", "");
    let schema = schema(TEXT);
    dependent(&schema, "group#zview", "group#aowner group#member group#zowner");
    dependent(
        &schema,
        "doc#view",
        "doc#org doc#parent doc#pub group#aowner group#member group#zowner group#zview!",
    );
    dependent(&schema, "doc#mee", "doc#parent");
    dependent(&schema, "doc#none", "");
    dependent(
        &schema,
        "pre/doc2#see",
        "doc#org doc#parent doc#pub doc#view! group#aowner group#member group#zowner group#zview! pre/doc2#ddd",
    );
}

#[test]
fn unknown_names_and_relations_have_no_dependencies() {
    let schema = schema(TEXT);
    let (nope, doc): (pemba_model::SmolStr, pemba_model::SmolStr) = ("nope".into(), "doc".into());
    let unknown = ReferenceError::UnknownDefinition { definition: nope.clone() };
    assert_eq!(computable_permissions(&schema, "nope", "", None), Err(unknown.clone()));
    assert_eq!(dependent_relations(&schema, "nope", "x"), Err(unknown));
    let unknown = |name: &str| ReferenceError::UnknownMember { definition: doc.clone(), name: name.into() };
    assert_eq!(computable_permissions(&schema, "doc", "nope", None), Err(unknown("nope")));
    assert_eq!(computable_permissions(&schema, "doc", "...", None), Err(unknown("...")));
    assert_eq!(dependent_relations(&schema, "doc", "nope"), Err(unknown("nope")));
    assert_eq!(dependent_relations(&schema, "doc", ""), Err(unknown("")));
    let relation = ReferenceError::NotAPermission { definition: doc.clone(), name: "org".into() };
    assert_eq!(dependent_relations(&schema, "doc", "org"), Err(relation));
}

/// All changes as lines `kind what`.
fn changes(existing: &str, comparison: &str) -> Vec<String> {
    let diffs = diff(&schema(existing), &outline(comparison).unwrap()).unwrap();
    diffs.iter().map(change).collect()
}

fn change(diff: &Diff) -> String {
    match diff {
        Diff::DefinitionAdded(found) => format!("+definition {}", found.name),
        Diff::DefinitionRemoved(found) => format!("-definition {}", found.name),
        Diff::DefinitionDocCommentChanged(found) => format!("doc {} {}", found.name, found.comment),
        Diff::RelationAdded(found) => format!("+relation {}", found.name),
        Diff::RelationRemoved(found) => format!("-relation {}", found.name),
        Diff::RelationDocCommentChanged(found) => format!("doc {} {}", found.name, found.comment),
        Diff::RelationSubjectTypeAdded { relation, changed } => {
            format!("+subject {} {}", relation.name, subject(changed))
        }
        Diff::RelationSubjectTypeRemoved { relation, changed } => {
            format!("-subject {} {}", relation.name, subject(changed))
        }
        Diff::PermissionAdded(found) => format!("+permission {}", found.name),
        Diff::PermissionRemoved(found) => format!("-permission {}", found.name),
        Diff::PermissionDocCommentChanged(found) => format!("doc {} {}", found.name, found.comment),
        Diff::PermissionExprChanged(found) => format!("expr {}", found.name),
        Diff::CaveatAdded(found) => format!("+caveat {}", found.name),
        Diff::CaveatRemoved(found) => format!("-caveat {}", found.name),
        Diff::CaveatDocCommentChanged(found) => format!("doc {} {}", found.name, found.comment),
        Diff::CaveatExprChanged(found) => format!("expr {} {}", found.name, found.expression),
        Diff::CaveatParameterAdded { caveat, parameter } => format!("+parameter {caveat} {}", parameter.name),
        Diff::CaveatParameterRemoved { caveat, parameter } => {
            format!("-parameter {caveat} {}", parameter.name)
        }
        Diff::CaveatParameterTypeChanged { caveat, parameter, previous_type } => {
            format!("type {caveat} {} {previous_type} to {}", parameter.name, parameter.parameter_type)
        }
    }
}

fn subject(allowed: &crate::AllowedSubject) -> String {
    let shape = match &allowed.shape {
        crate::SubjectShape::Direct => String::new(),
        crate::SubjectShape::Userset(relation) => format!("#{relation}"),
        crate::SubjectShape::Wildcard => ":*".to_owned(),
    };
    let caveat = allowed.caveat.as_ref().map(|name| format!(" with {name}")).unwrap_or_default();
    format!("{}{shape}{caveat}{}", allowed.subject_type, if allowed.expiration { " until" } else { "" })
}

const BEFORE: &str = "caveat zcav(one int, two int, dropa int, dropb int) { one + two + dropa + dropb > 1 }
        caveat acav(one int) { one > 1 }
        caveat gone(one int) { one > 1 }
        definition user {}
        definition removed {}
        // olddoc
        definition zdef {
          relation zrel: user
          // x
          relation krel: user | user with acav | zdef
          relation lrel: user
          relation drop2: user
          relation drop1: user
          // p
          permission zperm = zrel
          permission aperm = zrel
          permission pdrop = zrel
        }
        definition adef { relation rel: user }";

const AFTER: &str = "use expiration
        // newcd
        caveat zcav(one bool, two int, addb int, adda int) { one && two + addb + adda > 1 }
        // d
        caveat acav(one int) { one > 2 }
        caveat come(one int) { one > 1 }
        definition user {}
        definition added {}
        // newdoc
        definition zdef {
          relation zrel: adef
          // y
          relation krel: adef | user with expiration | zdef#zrel | user:*
          relation lrel: user
          relation add2: user
          relation add1: user
          permission zperm = lrel
          // foo
          permission aperm = lrel
          permission padd = zrel
        }
        // da
        definition adef { relation rel: user }";

#[test]
fn every_kind_of_change_is_told_in_order() {
    assert_eq!(
        changes(BEFORE, AFTER),
        [
            "+definition added",
            "-definition removed",
            "+caveat come",
            "-caveat gone",
            "doc adef // da",
            "doc zdef // newdoc",
            "-relation drop2",
            "-relation drop1",
            "+relation add2",
            "+relation add1",
            "-permission pdrop",
            "+permission padd",
            "expr zperm",
            "doc zperm ",
            "expr aperm",
            "doc aperm // foo",
            "-subject zrel user",
            "+subject zrel adef",
            "doc krel // y",
            "-subject krel user",
            "-subject krel user with acav",
            "-subject krel zdef",
            "+subject krel adef",
            "+subject krel user until",
            "+subject krel zdef#zrel",
            "+subject krel user:*",
            "doc acav // d",
            "expr acav one > 2",
            "doc zcav // newcd",
            "-parameter zcav dropa",
            "-parameter zcav dropb",
            "+parameter zcav adda",
            "+parameter zcav addb",
            "type zcav one int to bool",
            "expr zcav one && two + addb + adda > 1",
        ]
    );
}

#[test]
fn order_blanks_and_needless_parentheses_are_no_change() {
    let doc = |members: &str| {
        format!(
            "definition user {{}} definition org {{}} caveat cav(x int, y int) {{ x > y }} definition doc {{\n{members}\n}}"
        )
    };
    for (existing, comparison) in [
        (doc("relation foo: user | org"), doc("relation foo: org | user")),
        (doc("relation foo: user; relation bar: user"), doc("relation bar: user; relation foo: user")),
        (
            doc("relation foo: user; permission bar = foo + (foo + foo)"),
            doc("relation foo: user; permission bar = (foo + foo) + foo"),
        ),
        (doc("/* a\n  b */\nrelation foo: user"), doc("/* a\n      b */\nrelation foo: user")),
        (doc(""), doc("").replace("x int, y int", "y int, x int")),
    ] {
        assert_eq!(changes(&existing, &comparison), [""; 0], "{existing} {comparison}");
    }
    let order = [
        doc("relation foo: user; relation bar: user; permission baz = foo + bar"),
        doc("relation foo: user; relation bar: user; permission baz = bar + foo"),
    ];
    assert_eq!(changes(&order[0], &order[1]), ["expr baz"]);
}

#[test]
fn a_member_that_changes_its_kind_is_added_and_removed() {
    let relation = "definition user {} definition doc { relation foo: user; relation bar: user }";
    let permission = "definition user {} definition doc { relation foo: user; permission bar = foo }";
    assert_eq!(changes(permission, relation), ["+relation bar", "-permission bar"]);
    assert_eq!(changes(relation, permission), ["-relation bar", "+permission bar"]);
}

#[test]
fn a_comparison_need_not_fit_together_but_must_be_well_formed() {
    let user = "definition user {}";
    assert_eq!(changes(user, "definition user { relation foo: nope }"), ["+relation foo"]);
    assert_eq!(changes(user, "definition user { permission bar = bar }"), ["+permission bar"]);
    assert_eq!(changes(user, ""), ["-definition user"]);
    for text in ["definition user {", "definition user {} definition user {}", "caveat odd(n int) { n == }"] {
        assert!(outline(text).is_err() || text.starts_with("caveat"), "{text}");
    }
}

#[test]
fn a_comparison_that_would_list_too_much_is_refused() {
    let relation = |shape: &str| {
        let subjects: Vec<String> = (0..800).map(|n| format!("ty{n:03}{shape}")).collect();
        let types: String =
            (0..800).map(|n| format!("definition ty{n:03} {{ relation rel: ty{n:03} }}\n")).collect();
        schema(&format!("{types} definition doc {{ relation wide: {} }}", subjects.join(" | ")))
    };
    let error = diff(&relation(""), &relation("#rel")).unwrap_err();
    assert_eq!((error.definition.as_str(), error.relation.as_str()), ("doc", "wide"));
}
