-- A database for PostgREST. It has no functions for the claims, and the tenant is a number in one of several claims.
create schema api;
create table api.tenants (
  id integer primary key,
  name text not null
);
create table api.invoices (
  tenant_id integer not null references api.tenants on delete cascade,
  number integer not null,
  amount numeric(10, 2) not null check (amount >= 0),
  paid boolean not null default false,
  primary key (tenant_id, number)
);
create table api.invoice_lines (
  tenant_id integer not null references api.tenants on delete cascade,
  number integer not null,
  line integer not null,
  text text not null,
  primary key (tenant_id, number, line),
  foreign key (tenant_id, number) references api.invoices on delete cascade
);
alter table api.tenants enable row level security;
alter table api.invoices enable row level security;
alter table api.invoice_lines enable row level security;

create policy own on api.tenants for select to web_user
  using (id = (select (nullif(current_setting('request.jwt.claims', true), '')::json ->> 'tenant_id')::integer));
create policy own on api.invoices to web_user
  using (tenant_id = (select (nullif(current_setting('request.jwt.claims', true), '')::json ->> 'tenant_id')::integer));
create policy own on api.invoice_lines to web_user
  using (tenant_id = (select (nullif(current_setting('request.jwt.claims', true), '')::json ->> 'tenant_id')::integer));

grant usage on schema api to web_anon, web_user;
grant select on api.tenants to web_user;
grant select, insert, update, delete on api.invoices, api.invoice_lines to web_user;
