//! Proposals for schemas as they are found in the wild, written from memory.

mod support;

use std::collections::HashMap;

use ambit_data::classify::{TableSample, propose};
use ambit_data::column::{ColumnFacts, Shape};
use ambit_data::masking::{Language, MaskingFile, Proposal, Rule, compare, render};
use support::{TEXT, column, name};

fn shape(data_type: &str) -> Shape {
    if let Some(element) = data_type.strip_suffix("[]") {
        return Shape::Array(Box::new(shape(element)));
    }
    let argument = |t: &str| t.split(['(', ')', ',']).nth(1).and_then(|n| n.parse::<usize>().ok());
    match data_type.split('(').next().unwrap_or_default() {
        "character varying" => Shape::Text { longest: argument(data_type) },
        "character" => Shape::Padded { length: argument(data_type).unwrap_or(1) },
        "text" | "citext" => TEXT,
        "smallint" => Shape::Integer { bytes: 2 },
        "integer" => Shape::Integer { bytes: 4 },
        "bigint" => Shape::Integer { bytes: 8 },
        "numeric" => {
            Shape::Numeric { precision: argument(data_type).map(|n| n as u16), scale: argument(data_type).map(|_| 2) }
        }
        "real" | "double precision" => Shape::Float,
        "boolean" => Shape::Boolean,
        "date" => Shape::Date,
        "timestamp" | "timestamp without time zone" => Shape::Timestamp { zone: false },
        "timestamptz" => Shape::Timestamp { zone: true },
        "inet" => Shape::Network,
        "bytea" => Shape::Bytes,
        "uuid" => Shape::Uuid,
        "json" | "jsonb" => Shape::Json,
        "mpaa_rating" => Shape::Enum { labels: vec!["G".into(), "R".into()] },
        _ => Shape::Other,
    }
}

/// Tables, one line a column: `table.column type [!] [unique] [> table.column] [= expected rule] [: value | value]`. `!` is NOT NULL.
fn tables(text: &str) -> (Vec<TableSample>, Vec<(String, String)>) {
    let mut tables: Vec<(String, TableSample)> = Vec::new();
    let mut expected = Vec::new();
    for line in text.lines().map(str::trim).filter(|l| !l.is_empty()) {
        let (line, values) = line.split_once(" : ").unwrap_or((line, ""));
        let (line, rule) = line.split_once(" = ").expect("an expectation");
        let (line, references) = line.split_once(" > ").unwrap_or((line, ""));
        let (dotted, data_type) = line.split_once(' ').expect("a type");
        let unique = data_type.contains(" unique");
        let not_null = data_type.contains(" !") || unique;
        let data_type = data_type.replace(" unique", "").replace(" !", "");
        let mut facts: ColumnFacts = column(&format!("public.{dotted}"), data_type.trim(), shape(data_type.trim()));
        (facts.unique, facts.not_null) = (unique, not_null);
        facts.references = (!references.is_empty()).then(|| name(&format!("public.{}", references.trim())));
        // A few values stand for many: they are repeated, as a sample of a large table would.
        let few: Vec<&str> = values.split(" | ").map(str::trim).filter(|v| !v.is_empty()).collect();
        let values = few.iter().map(|v| Some((*v).to_owned())).collect();
        if tables.last().is_none_or(|(name, _)| *name != facts.name.table) {
            tables.push((facts.name.table.clone(), TableSample::default()));
        }
        let (_, table) = tables.last_mut().expect("the table was added");
        table.columns.push(facts);
        table.samples.push(values);
        expected.push((dotted.to_owned(), rule.trim().to_owned()));
    }
    (tables.into_iter().map(|(_, table)| table).collect(), expected)
}

fn check(text: &str) {
    let (tables, expected) = tables(text);
    let proposals = propose(&tables);
    let shown: HashMap<String, &Proposal> =
        proposals.iter().map(|p| (format!("{}.{}", p.name.table, p.name.column), p)).collect();
    let wrong: Vec<String> = expected
        .iter()
        .filter(|(column, rule)| shown[column].rule.to_string() != *rule)
        .map(|(c, rule)| {
            format!("{c}: expected {rule}, got {} ({:.2}: {})", shown[c].rule, shown[c].confidence, shown[c].reason)
        })
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    // Whatever is proposed is a file that a copy can be made with.
    let columns: Vec<ColumnFacts> = tables.into_iter().flat_map(|t| t.columns).collect();
    let file = MaskingFile::parse(&render(Language::English, &proposals)).expect("a file");
    assert_eq!(compare(&file, &columns), []);
}

#[test]
fn pagila() {
    check(
        "
        actor.actor_id integer unique = keep : 1 | 2 | 3
        actor.first_name text ! = first-name : PENELOPE | NICK | ED
        actor.last_name text ! = last-name : GUINESS | WAHLBERG | CHASE
        actor.last_update timestamptz ! = keep
        film.film_id integer unique = keep
        film.title text ! = keep : ACADEMY DINOSAUR | ACE GOLDFINGER | ADAPTATION HOLES
        film.description text = text : A Epic Drama of a Feminist And a Mad Scientist who must Battle a Teacher in The Canadian Rockies
        film.release_year integer = keep : 2006
        film.rental_rate numeric(4,2) ! = keep : 0.99 | 4.99
        film.rating mpaa_rating = keep : G
        film.special_features text[] = keep : {Trailers,\"Deleted Scenes\"} | {Commentaries}
        film.fulltext tsvector ! = fixed(\"\")
        category.category_id integer unique = keep
        category.name text ! = keep : Action | Animation | Children
        language.name character(20) ! = keep : English | Italian
        city.city text ! = keep : A Coruña (La Coruña) | Abha | Abu Dhabi
        city.country_id integer ! = keep
        address.address_id integer unique = keep
        address.address text ! = address : 47 MySakila Drive | 28 MySQL Boulevard
        address.address2 text = address
        address.district text ! = city : Alberta | QLD
        address.postal_code text = postcode : 35200 | 17886
        address.phone text ! = phone : 14033335568 | 6172235589
        customer.customer_id integer unique = keep
        customer.store_id integer ! = keep
        customer.first_name text ! = first-name : MARY | PATRICIA | LINDA
        customer.last_name text ! = last-name : SMITH | JOHNSON
        customer.email text = email : MARY.SMITH@sakilacustomer.org | PATRICIA.JOHNSON@sakilacustomer.org | L.W@sakilacustomer.org
        customer.activebool boolean ! = keep : t
        customer.create_date date ! = keep : 2006-02-14
        customer.address_id integer ! > address.address_id = keep
        staff.staff_id integer unique = keep
        staff.username text ! = username : Mike | Jon
        staff.password text = password : 8cb2237d0679ca88db6464eac60da96345513964
        staff.picture bytea = bytes
        payment.amount numeric(5,2) ! = keep : 2.99
        rental.customer_id integer ! > customer.customer_id = keep
        ",
    );
}

#[test]
fn chinook() {
    check(
        "
        Customer.CustomerId integer unique = keep
        Customer.FirstName character varying(40) ! = first-name : Luís | Leonie | François
        Customer.LastName character varying(20) ! = last-name
        Customer.Company character varying(80) = company : Embraer - Empresa Brasileira de Aeronáutica S.A.
        Customer.Address character varying(70) = address : Av. Brigadeiro Faria Lima, 2170
        Customer.City character varying(40) = city : São José dos Campos
        Customer.State character varying(40) = keep : SP
        Customer.Country character varying(40) = keep : Brazil
        Customer.PostalCode character varying(10) = postcode : 12227-000
        Customer.Phone character varying(24) = phone : +55 (12) 3923-5555
        Customer.Fax character varying(24) = phone
        Customer.Email character varying(60) ! = email : luisg@embraer.com.br
        Customer.SupportRepId integer > Employee.EmployeeId = keep
        Employee.EmployeeId integer unique = keep
        Employee.Title character varying(30) = keep : General Manager | Sales Manager
        Employee.ReportsTo integer > Employee.EmployeeId = keep
        Employee.BirthDate timestamp without time zone = date-shift(180, by=EmployeeId) : 1962-02-18 00:00:00
        Employee.HireDate timestamp without time zone = keep
        Artist.Name character varying(120) = keep : AC/DC | Accept | Aerosmith
        Album.Title character varying(160) ! = keep : For Those About To Rock We Salute You | Balls to the Wall
        Track.Name character varying(200) ! = keep : For Those About To Rock | Fast As a Shark
        Track.Composer character varying(220) = name : Angus Young, Malcolm Young, Brian Johnson
        Track.Milliseconds integer ! = keep
        Invoice.BillingAddress character varying(70) = address
        Invoice.BillingCity character varying(40) = city
        Invoice.BillingPostalCode character varying(10) = postcode
        Invoice.Total numeric(10,2) ! = keep
        ",
    );
}

#[test]
fn northwind() {
    check(
        "
        customers.customer_id character varying(5) unique = keep : ALFKI | ANATR | ANTON
        customers.company_name character varying(40) ! = company : Alfreds Futterkiste
        customers.contact_name character varying(30) = name : Maria Anders | Ana Trujillo
        customers.contact_title character varying(30) = keep : Sales Representative | Owner
        customers.address character varying(60) = address
        customers.region character varying(15) = keep
        customers.postal_code character varying(10) = postcode
        customers.country character varying(15) = keep
        customers.phone character varying(24) = phone : 030-0074321
        employees.employee_id smallint unique = keep
        employees.last_name character varying(20) ! = last-name
        employees.title character varying(30) = keep : Sales Representative
        employees.title_of_courtesy character varying(25) = keep : Ms.
        employees.birth_date date = date-shift(180, by=employee_id)
        employees.home_phone character varying(24) = phone
        employees.extension character varying(4) = digits : 5467
        employees.photo bytea = bytes
        employees.notes text = text : Education includes a BA in psychology from Colorado State University in 1970.
        employees.photo_path character varying(255) = url : http://accweb/emmployees/davolio.bmp
        orders.customer_id character varying(5) > customers.customer_id = keep
        orders.ship_name character varying(40) = name : Vins et alcools Chevalier
        orders.ship_address character varying(60) = address
        orders.ship_city character varying(15) = city
        orders.freight real = keep
        products.product_name character varying(40) ! = keep : Chai | Chang
        products.quantity_per_unit character varying(20) = keep : 10 boxes x 30 bags | 24 - 12 oz bottles
        suppliers.company_name character varying(40) ! = company
        suppliers.homepage text = url : #CAJUN.HTM#
        categories.description text = text : Soft drinks, coffees, teas, beers, and ales
        categories.picture bytea = keep
        ",
    );
}

#[test]
fn django() {
    check(
        "
        auth_user.id integer unique = keep
        auth_user.password character varying(128) ! = password : pbkdf2_sha256$260000$x$aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=
        auth_user.last_login timestamptz = keep
        auth_user.is_superuser boolean ! = keep
        auth_user.username character varying(150) unique = username : ana | bob
        auth_user.first_name character varying(150) ! = first-name
        auth_user.email character varying(254) ! = email
        auth_user.date_joined timestamptz ! = keep
        auth_group.name character varying(150) unique = keep : editors | staff
        auth_permission.codename character varying(100) ! = keep : add_logentry
        django_session.session_key character varying(40) unique = token : l4i0vd1x8e7tqk3m2n5b6c9z0p8w7y6r
        django_session.session_data text ! = token : .eJxVjDsOwjAQBe_iGlnebPyjpOcM1tq7xgGUSHFSIe4OkVJA-2bmvVSkba1x67LEkdVZgTr9bonyQ6Yd8J2m26zzPK3LmPSu6IN2fZ1ZnpfD_Tuo1Ou3BoTsKFgwQ3BI1ohxYAEyl5LQDsWAeABrJBMxoQ_onEmZaQjFIar3B_LDOFQ:1n2
        django_admin_log.object_repr character varying(200) ! = text : Ana López | Order 12
        django_admin_log.change_message text ! = text : [{\"changed\": 1}]
        django_content_type.app_label character varying(100) ! = keep : auth
        django_migrations.name character varying(255) ! = keep : 0001_initial
        authtoken_token.key character varying(40) unique = token : 9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b | 1144b09199c62bcf9418ad846dd0e4bbdfc6ee4c | 2244b09199c62bcf9418ad846dd0e4bbdfc6ee4d
        ",
    );
}

#[test]
fn rails() {
    check(
        "
        users.id bigint unique = keep
        users.email character varying unique = email : a@x.com
        users.encrypted_password character varying ! = password : $2a$12$K0ByB.6YI2/OYrB4fQOYLe6Tv0datUVf6VZ/2Jzwm879BW5K1cHey
        users.reset_password_token character varying = token
        users.remember_created_at timestamp without time zone = keep
        users.current_sign_in_ip inet = ip
        users.last_sign_in_ip character varying = ip : 83.44.12.9 | 83.44.12.10 | 2a02:9130::1
        users.confirmation_token character varying unique = token
        users.unconfirmed_email character varying = email
        users.provider character varying = keep : google_oauth2
        users.uid character varying = id : 115872345678901234567
        users.stripe_customer_id character varying = id : cus_NffrFeUfNV2Hib
        users.avatar_url character varying = url
        users.time_zone character varying = keep : Madrid
        posts.title character varying = text : My holidays | Looking for a flat in Madrid
        posts.body text = text
        posts.slug character varying = keep : my-holidays
        posts.user_id bigint ! > users.id = keep
        schema_migrations.version character varying unique = keep : 20240101000000
        active_storage_blobs.filename character varying ! = text : cv-ana.pdf
        active_storage_blobs.content_type character varying = keep : application/pdf
        active_storage_blobs.checksum character varying = keep : 4xQfvYv0m9t1c2X3y4Z5Aw==
        versions.item_type character varying ! = keep : User
        versions.whodunnit character varying = username : 12
        versions.object text = text
        ",
    );
}

#[test]
fn calendars_devices_and_json() {
    check(
        "
        users.id bigint unique = keep
        users.email text ! = email
        users.name text ! = name : Ana | Bob
        users.password_hash text ! = password : $argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
        users.onboarding_completed boolean ! = keep
        users.push_token text = token : ExponentPushToken[xxxxxxxxxxxxxxxxxxxxxx]
        users.locale text = keep : es
        users.salary numeric(10,2) = noise(20%)
        users.latitude double precision = coordinates
        users.emails text[] = email : {a@x.es,b@x.es} | {c@x.es} | {d@x.es}
        users.settings jsonb = json(contact.email: email, contact.name: name, newsletter: text, theme: keep) : {\"theme\": \"dark\", \"newsletter\": \"weekly\", \"contact\": {\"email\": \"a@x.es\", \"name\": \"Ana\"}, \"on\": true}
        events.id bigint unique = keep
        events.user_id bigint ! > users.id = keep
        events.title text ! = text : Dentista | Cena con Ana
        events.description text ! = text
        events.start_time timestamptz ! = keep
        devices.mac macaddr = null
        devices.user_agent text = text : Mozilla/5.0 (X11; Linux x86_64)
        devices.reset_token uuid = uuid
        logs.payload jsonb = json
        _prisma_migrations.checksum character varying(64) ! = keep
        ",
    );
}

#[test]
fn spanish() {
    check(
        "
        clientes.id_cliente integer unique = keep
        clientes.nombre character varying(60) ! = name : Ana | Luis
        clientes.apellidos character varying(80) = last-name
        clientes.\u{63}orreo_electrónico character varying(80) unique = email
        clientes.teléfono_móvil character varying(20) = phone : 612345678
        clientes.fecha_nacimiento date = date-shift(180, by=id_cliente)
        clientes.fecha_alta date = keep
        clientes.dni character varying(9) unique = digits : 12345678Z | 87654321X | 11111111H
        clientes.tipo_documento character varying(10) = keep : DNI | NIE
        clientes.dirección character varying(120) = address
        clientes.código_postal character varying(5) = postcode : 28013
        clientes.población character varying(60) = city
        clientes.provincia character varying(40) = keep : Madrid
        clientes.contraseña character varying(100) = password
        clientes.nombre_usuario character varying(30) unique = username
        clientes.observaciones text = text : Llama siempre por la tarde
        clientes.sexo character(1) = keep : M | F
        clientes.estado_civil character varying(12) = text : soltera
        clientes.iban character varying(34) = digits : ES91 2100 0418 4502 0005 1332
        clientes.numero_tarjeta character varying(19) = digits : 4111 1111 1111 1111
        clientes.esActivo boolean = keep
        empresas.nombre character varying(80) ! = company
        empresas.cif character varying(9) = digits : B58378431
        pedidos.importe numeric(10,2) ! = keep
        pedidos.notas text = text
        pedidos.cosa text = text : xyzzy | plugh
        pedidos.estado character varying(20) = keep : pagado
        productos.nombre_producto character varying(60) = keep : Silla | Mesa
        ",
    );
}

#[test]
fn names_as_they_are_found_in_the_wild() {
    check(
        "
        wp_users.user_login text = username
        wp_users.user_pass text = password
        wp_users.user_activation_key text = token
        wp_usermeta.meta_value text = text
        patients.nhs_number text = digits
        patients.blood_group text = text
        patients.emergency_contact_name text = name
        patients.next_of_kin text = name
        invoices.customer_tax_id text = digits
        invoices.billing_email text = email
        accounts.id_token text = token
        accounts.provider_account_id text = id
        orders.shipping_name text = name
        orders.card_last4 text = digits
        orders.card_brand text = keep
        orders.currency text = keep
        orders.gift_message text = text
        usuarios.telefono_contacto text = phone
        usuarios.correo_usuario text = email
        usuarios.direccion_empresa text = address
        usuarios.num_telefono text = phone
        usuarios.email_verificado_token text = token
        usuarios.f_nac date = date-shift(180)
        usuarios.apellido2 text = last-name
        usuarios.pais text = keep
        mensajes.remitente text = name
        emails.from_address text = email
        messages.sender_name text = name
        messages.sender_id integer = keep
        settings.value text = text
        payments.cardholder_name text = name
        comments.author_ip text = ip
        users.email_frequency text = keep
        users.two_factor_code text = digits
        users.twitter_handle text = username
        users.address_line_1 text = street
        users.phone bigint = phone
        users.search_vector tsvector = null
        users.signature bytea = bytes
        users.is_email_public boolean = keep
        vehicles.license_plate text = digits
        ",
    );
}

#[test]
fn values_speak_where_names_do_not() {
    let twenty = |value: &dyn Fn(usize) -> String| (0..40).map(|i| Some(value(i))).collect::<Vec<_>>();
    let judged = |values: Vec<Option<String>>| {
        let table = TableSample { columns: vec![column("public.stuff.c1", "text", TEXT)], samples: vec![values] };
        let proposal = propose(&[table]).remove(0);
        (proposal.rule.to_string(), proposal.confidence, proposal.reason)
    };
    let (rule, confidence, reason) = judged(twenty(&|i| format!("persona{i}@empresa.es")));
    assert_eq!((rule.as_str(), reason.as_str()), ("email", "100 % of 40 values look like e-mail addresses"));
    assert!(confidence > 0.9);
    assert_eq!(judged(twenty(&|i| format!("+34 6{:08}", i * 997))).0, "phone");
    assert_eq!(judged(twenty(&|i| format!("10.0.0.{i}"))).0, "ip");
    assert_eq!(judged(twenty(&|i| ["Ana López", "Luis García Pérez", "Emily Clark"][i % 3].to_owned())).0, "name");
    assert_eq!(judged(twenty(&|i| ["paid", "open", "sent"][i % 3].to_owned())).0, "keep");
    assert_eq!(judged(twenty(&|i| format!("Ayer hablé con el cliente número {i} por teléfono"))).0, "text");
    assert_eq!(judged(twenty(&|i| format!("https://x.es/u?mail=a{i}@x.es"))).0, "url");
    assert_eq!(judged(twenty(&|i| format!("Ana <a{i}@x.es>"))).0, "text");
    assert_eq!(judged(twenty(&|i| format!("40.{i:04}, -3.70{i:02}"))).0, "coordinates");
    assert_eq!(judged(twenty(&|i| format!("{{\"email\": \"a{i}@x.es\"}}"))).0, "json(email: email)");
    let (rule, confidence, _) = judged(twenty(&|i| format!("q{i}w")));
    assert_eq!(rule, "text");
    assert!(confidence < 0.5, "nobody knows what it is");
}

#[test]
fn comments_and_foreign_keys_speak_too() {
    let mut commented = column("public.things.x9", "text", TEXT);
    commented.comment = Some("Teléfono de contacto del cliente".into());
    let mut personal = column("public.things.kind", "text", TEXT);
    personal.comment = Some("PII, ask legal".into());
    let mut email = column("public.users.email", "text", TEXT);
    (email.unique, email.not_null) = (true, true);
    let mut login = column("public.things.who", "text", TEXT);
    login.references = Some(name("public.users.email"));
    let table = |columns: Vec<ColumnFacts>| TableSample { samples: vec![Vec::new(); columns.len()], columns };
    let proposals = propose(&[table(vec![commented, personal, login]), table(vec![email])]);
    let rules: Vec<String> = proposals.iter().map(|p| p.rule.to_string()).collect();
    assert_eq!(rules, ["phone", "text", "email", "email"]);
    assert_eq!(proposals[2].reason, "references public.users.email");
}

#[test]
fn keys_of_maps_and_deep_paths_are_learnt() {
    let values: Vec<Option<String>> = (0..50)
        .map(|i| Some(format!(r#"{{"by_mail": {{"a{i}@x.es": {{"note": "Me llamó ayer por la tarde, {i}"}}}}, "items": [{{"sku": "A{i}", "qty": 2}}]}}"#)))
        .collect();
    let table = TableSample { columns: vec![column("public.t.data", "jsonb", Shape::Json)], samples: vec![values] };
    let proposal = propose(&[table]).remove(0);
    assert_eq!(
        proposal.rule.to_string(),
        "json(by_mail.@keys: email, by_mail.*.note: text, items[*].qty: keep, items[*].sku: keep)"
    );
    assert!(matches!(proposal.rule, Rule::Mask(_)));
}
