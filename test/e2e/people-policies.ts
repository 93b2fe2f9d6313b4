/**
 * What the teams of the governance tests may see of `hr.people`: analysts only EU, with masks and excluded fields at every depth; clerks
 * every row with a hash; auditors the region that their token names.
 */
export const peoplePolicies = {
  'people.cedar': `
@filter("region = 'EU'")
permit (principal in Team::"analysts", action == Action::"readTable", resource == Table::"hr.people");
permit (principal in Team::"analysts", action == Action::"readColumn", resource in Table::"hr.people")
  unless { resource.tags.contains("pii") || resource.tags.contains("zip") || resource.tags.contains("money") };
@mask("show-last-4")
permit (principal in Team::"analysts", action == Action::"readColumn", resource in Table::"hr.people")
  when { resource.tags.contains("pii") };
@mask("show-first-4")
permit (principal in Team::"analysts", action == Action::"readColumn", resource in Table::"hr.people")
  when { resource.tags.contains("zip") };
@mask("mask-to-default")
permit (principal in Team::"analysts", action == Action::"readColumn", resource in Table::"hr.people")
  when { resource.tags.contains("money") };
forbid (principal in Team::"analysts", action == Action::"readColumn", resource == Column::"hr.people.diagnosis");
forbid (principal in Team::"analysts", action == Action::"readColumn", resource == Column::"hr.people.home.street");
forbid (principal in Team::"analysts", action == Action::"readColumn", resource == Column::"hr.people.contacts.element.phone");
forbid (principal in Team::"analysts", action == Action::"readColumn", resource == Column::"hr.people.notes.value");
permit (principal == User::"writer", action == Action::"write", resource == Table::"hr.people");
permit (principal == User::"feeder", action == Action::"write", resource == Table::"hr.people");

permit (principal in Team::"clerks", action == Action::"readTable", resource == Table::"hr.people");
permit (principal in Team::"clerks", action == Action::"readColumn", resource == Column::"hr.people.id");
@mask("sha-256-global")
permit (principal in Team::"clerks", action == Action::"readColumn", resource == Column::"hr.people.ssn");
@mask("apply-transform:truncate[1000]")
permit (principal in Team::"clerks", action == Action::"readColumn", resource == Column::"hr.people.salary");

@filter("region = principal.claims.region")
permit (principal in Team::"auditors", action == Action::"readTable", resource == Table::"hr.people");
permit (principal in Team::"auditors", action == Action::"readColumn", resource == Column::"hr.people.id");
permit (principal in Team::"auditors", action == Action::"readColumn", resource == Column::"hr.people.region");

permit (principal in Team::"everybody", action in [Action::"readTable", Action::"readColumn"], resource in Namespace::"hr");
forbid (principal in Team::"banned", action == Action::"readTable", resource in Namespace::"hr");
`,
};

export const peopleTags: readonly (readonly [column: string, tag: string])[] = [
  ['hr.people.ssn', 'pii'],
  ['hr.people.home.zip', 'zip'],
  ['hr.people.salary', 'money'],
];
