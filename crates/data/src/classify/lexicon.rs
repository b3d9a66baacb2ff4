//! What columns are called, in English and Spanish.

use std::sync::LazyLock;

use super::words::is_form_of;

/// What a column's name says that is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Meaning {
    Email,
    Phone,
    /// A name, of whatever the table or the words beside it are about.
    Name,
    FullName,
    FirstName,
    LastName,
    Company,
    Username,
    Address,
    Street,
    City,
    Postcode,
    Birth,
    Age,
    /// A number that a person or company is registered under.
    NationalId,
    Account,
    Card,
    /// A secret number of few digits.
    Pin,
    Token,
    Password,
    Ip,
    UserAgent,
    Url,
    /// Somebody's number at another service.
    ForeignId,
    /// Words that somebody wrote.
    Prose,
    /// What a thing is called; what somebody called it, where people write.
    Title,
    Latitude,
    Longitude,
    Place,
    Picture,
    File,
    Income,
    /// Health, beliefs, origin: what Article 9 of the GDPR is about.
    Sensitive,
    /// Who did something, by name, login or number.
    Who,
    /// The row's own number.
    Id,
    /// What says nothing about a person alone: kinds, states, amounts, times, settings.
    Plain,
}

use Meaning::*;

/// Words that are said of columns, in their singular, by what they mean. The longest that is found counts; of two as long, the later,
/// which says what a column is in English, and in Spanish often enough.
const LEXICON: &[(Meaning, &str)] = &[
    (
        Email,
        "email, e mail, mail, email address, mail address, correo, correo electronico, direccion correo,
         direccion email, emailaddress, from address, to address, reply to, cc, bcc, from email, to email",
    ),
    (
        Phone,
        "phone, phone number, phonenumber, telephone, tel, tlf, tfno, mobile, mobile number, cell, cellphone,
         cell phone, telefono, numero telefono, movil, celular, fax, fax number, whatsapp, msisdn, mobilephone,
         homephone, contact number",
    ),
    (Name, "name, nombre, denominacion"),
    (Title, "label, title, titulo, subject, asunto, headline, titular noticia, value, domain, subdomain, dominio"),
    (
        FullName,
        "full name, fullname, nombre completo, nombre apellido, nombre y apellido, real name, display name,
         displayname, legal name, cardholder, card holder, cardholder name, account holder, titular, beneficiary,
         beneficiario, contacto, persona contacto, contact person, firmante, ship name, bill name, recipient,
         destinatario, attn, composer, bill to, ship to, next kin, kin, shipping name, billing name, remitente,
         signatory, conyuge, jefe",
    ),
    (
        Who,
        "author, autor, owner, sender, assignee, responsable, created by, updated by, deleted by, modified by,
         approved by, creado por, modificado por, whodunnit, actor, performed by, signed by, reviewer, invited by",
    ),
    (
        Plain,
        "installed by, bic, swift, routing number, position, status, estado, state, type, tipo, kind, clase,
         category, categoria, code, codigo, country, country code, pais, region, provincia, province, currency,
         moneda, divisa, language, idioma, locale, timezone, time zone, zona horaria, slug, version, color, colour,
         unit, unidad, quantity, cantidad, quantity per unit, size, talla, sku, isbn, ean, checksum, level, nivel,
         role, rol, plan, priority, prioridad, gender, sex, sexo, genero, mime type, content type, format, formato,
         provider, source, channel, canal, method, metodo, event, action, accion, model, modelo, icon, theme, count,
         total, amount, importe, price, precio, scope, permission, job title, title courtesy, cargo, puesto,
         contact title, department, departamento, salutation, tratamiento cortesia, rating, score, weight, order,
         frequency, created at, updated at, file type, service name, queue, bucket, app label, codename, record type,
         item type, subject type, table name, column name, event name, environment, platform, os, verified, enabled,
         abbreviation, abbr, brand, marca, card brand, card type, phone type, email type, address type, feature, tag,
         etiqueta, duration, key, campaign, medium, job, occupation, profession, profesion, ocupacion, grade, barcode",
    ),
    (
        FirstName,
        "first name, firstname, fname, given name, givenname, forename, middle name, middlename, nombre pila,
         primer nombre, segundo nombre, preferred name",
    ),
    (
        LastName,
        "last name, lastname, lname, surname, family name, familyname, maiden name, apellido, primer apellido,
         segundo apellido, apellido paterno, apellido materno",
    ),
    (
        Company,
        "company, company name, companyname, organization, organisation, organization name, employer, empresa,
         nombre empresa, razon social, nombre comercial, nombre fiscal, organizacion, empleador, business name, firm,
         trade name, supplier name, vendor name",
    ),
    (
        Username,
        "username, user name, login, login name, nickname, nick, handle, screen name, usuario, nombre usuario, alias,
         apodo, userid, account name, twitter, instagram, github, telegram, skype, nice name, nicename, discord,
         slack, screenname",
    ),
    (
        Address,
        "address, full address, direccion, domicilio, direccion postal, home address, shipping address,
         billing address, direccion envio, direccion facturacion",
    ),
    (Street, "street address, address line, addressline, street, street name, calle, via, nombre via, addr"),
    (
        Pin,
        "house number, numero portal, last four, last 4, card last 4, cvv, cvc, pin, otp, otp code,
         verification code, codigo verificacion, sms code, extension, two factor code, mfa code, security code,
         access code, login code, codigo acceso, codigo seguridad, house no, portal",
    ),
    (
        City,
        "district, barrio, suburb, distrito, city, town, ciudad, poblacion, localidad, municipio, birthplace,
         birth place, place birth, lugar nacimiento, locality",
    ),
    (Postcode, "postcode, post code, postal code, postalcode, zip, zip code, zipcode, codigo postal, cod postal, cp"),
    (
        Birth,
        "birth, birth date, birthdate, date birth, birthday, dob, born, born on, nacimiento, fecha nacimiento,
         fec nacimiento, f nacimiento, fnac, cumpleanos, birth year, ano nacimiento, death date, fecha defuncion,
         fechanacimiento, nac, f nac, fecha nac, fec nac",
    ),
    (Age, "age, edad"),
    (
        NationalId,
        "dni, nif, nie, cif, ssn, nss, social security, social security number, seguridad social,
         numero seguridad social, national id, id number, passport, passport number, pasaporte, numero pasaporte,
         cedula, curp, rfc, cuit, cuil, rut, nit, tax id, tax number, vat, vat number, vat id, documento identidad,
         numero documento, documento, document number, driver license, driving license, license number,
         carnet conducir, identificacion fiscal, license plate, plate number, matricula, vin, imei, colegiado,
         tarjeta sanitaria, fiscal code, nhs number, medical record number, insurance number, policy number,
         numero poliza, historia clinica, numero historia, numero afiliacion, serial number, numero serie",
    ),
    (Account, "iban, bank account, account number, cuenta, cuenta bancaria, numero cuenta, ccc"),
    (
        Card,
        "card, card number, credit card, credit card number, cardnumber, tarjeta, numero tarjeta, tarjeta credito,
         pan",
    ),
    (
        Token,
        "token, secret, api key, apikey, access key, private key, secret key, client secret, session key,
         session token, session, refresh token, clave api, auth key, token hash, token digest, key hash, secreto,
         otp secret, totp secret, recovery code, backup code, magic link, invite code, invitation code,
         webhook secret, push token, device token, cookie, credential, signature, public key, ssh key,
         encrypted otp secret, jwt, session data, password salt, salt, fingerprint, activation key, reset key,
         verification key, confirmation key, security key, license key, encryption key, hashed key, key prefix,
         huella, sid, session id",
    ),
    (
        Password,
        "password, password hash, passwd, pwd, pass, hashed password, encrypted password, password digest,
         contrasena, clave, passwordhash, crypted password, hash contrasena",
    ),
    (
        Ip,
        "ip, ip address, ipaddress, ip addr, remote addr, remote ip, client ip, sign in ip, direccion ip, last ip,
         remote address, host address",
    ),
    (UserAgent, "user agent, useragent, browser, navegador, device name, hostname"),
    (
        Url,
        "url, uri, link, website, web, homepage, home page, sitio web, pagina web, enlace, linkedin, facebook,
         referrer, referer, avatar, avatar url, photo url, picture url, image url, profile picture, photo path",
    ),
    (Picture, "photo, picture, image, foto, imagen, scan, firma"),
    (File, "file name, filename, original name, nombre archivo, nombre fichero, path, file path, attachment, adjunto"),
    (
        ForeignId,
        "stripe id, stripe customer id, customer id stripe, google id, facebook id, apple id, github id, telegram id,
         chat id, external id, id externo, provider id, provider account id, provider user id, oauth id,
         firebase uid, uid, device id, advertising id, idfa, subscriber id, paypal id, twilio sid, auth 0 id,
         clerk id, subscription id stripe, stripe subscription id, stripe payment intent id, referral code,
         codigo referido, invoice number, numero factura, order number, numero pedido, tracking number, reference,
         referencia, folio, expediente, ticket number, sub, customer code, codigo cliente",
    ),
    (
        Prose,
        "note, comment, nota, comentario, observacion, description, descripcion, body, message, mensaje, content,
         contenido, text, texto, bio, biography, biografia, about, about me, summary, resumen, remark, feedback,
         review, resena, opinion, answer, respuesta, question, pregunta, reason, motivo, transcript, details,
         detalle, history, historial, prompt, completion, error message, log, logs, html, excerpt, caption, snippet,
         query, search term, change message, object repr, instructions, instrucciones, object, cuerpo, memo,
         testimonial, resume, curriculum, carta",
    ),
    (Latitude, "latitude, lat, latitud"),
    (Longitude, "longitude, lng, lon, long, longitud"),
    (Place, "coordinate, coordenada, location, ubicacion, geo, geolocation, lat lng"),
    (Income, "salary, sueldo, salario, nomina, income, wage, ingresos, compensation, net worth, salario bruto"),
    (
        Sensitive,
        "religion, ethnicity, race, etnia, diagnosis, diagnostico, disease, enfermedad, allergy, alergia, medication,
         medicacion, tratamiento, treatment, blood type, grupo sanguineo, disability, discapacidad,
         sexual orientation, political, union, sindicato, symptom, sintoma, criminal record, nationality,
         nacionalidad, marital status, estado civil, blood group, condition, patologia, orientacion sexual, ideologia",
    ),
    (Id, "id, uuid, guid, ulid, pk, cuid, parent, nanoid"),
];

/// The lexicon's phrases, taken apart.
static PHRASES: LazyLock<Vec<(Vec<&'static str>, Found)>> = LazyLock::new(|| {
    let phrases = LEXICON.iter().flat_map(|(meaning, phrases)| split(phrases).map(|phrase| (phrase, *meaning)));
    phrases.map(|(phrase, meaning)| (phrase.split(' ').collect(), (meaning, phrase))).collect()
});

/// A meaning, and the words that say so.
type Found = (Meaning, &'static str);

/// The phrases of a list, which has line breaks in it.
fn split(list: &'static str) -> impl Iterator<Item = &'static str> {
    list.split(',').map(str::trim)
}

/// Words at the front that say more than what follows them: `tipo_documento`, `is_email_public`, `fecha_alta`.
const FRONT: &[&str] = &["tipo", "estado", "es", "is", "has", "tiene", "total", "fecha", "count", "id", "type"];

/// Whose something is, where anything else is said of what it is.
const ROLES: &[&str] = &[
    "contacto",
    "destinatario",
    "titular",
    "beneficiario",
    "firmante",
    "recipient",
    "author",
    "autor",
    "owner",
    "sender",
    "assignee",
    "responsable",
    "usuario",
    "empresa",
    "company",
    "organization",
    "organisation",
    "organizacion",
    "employer",
    "empleador",
    "actor",
    "reviewer",
];

/// Words that say nothing: numbers, and what is at a column's end for other reasons than its meaning.
fn is_silent(word: &str) -> bool {
    word.bytes().all(|b| b.is_ascii_digit()) || matches!(word, "field" | "col" | "encrypted" | "enc" | "new" | "old")
}

/// What a name means, and the words that said so.
pub(super) fn meaning(words: &[String]) -> Option<Found> {
    let loud: Vec<&str> = words.iter().map(String::as_str).filter(|w| !is_silent(w)).collect();
    let found = best(&loud).or_else(|| best(&words.iter().map(String::as_str).collect::<Vec<_>>()));
    // `tipo_documento` is no document.
    match (loud.first().and_then(|first| FRONT.iter().find(|f| *f == first)), found) {
        (Some(&"id"), Some((what, said)))
            if !said.contains(' ') && !matches!(what, Plain | Token | Password | Email) =>
        {
            Some((Id, "id"))
        }
        (Some(front), Some((what, said)))
            if *front != "id" && !said.contains(' ') && loud.len() > 1 && what != Birth =>
        {
            Some((Plain, front))
        }
        (_, found) => found,
    }
}

fn best(words: &[&str]) -> Option<Found> {
    let mut best: Option<((usize, usize), Found)> = None;
    for (parts, found) in PHRASES.iter() {
        for (start, window) in words.windows(parts.len()).enumerate() {
            if window.iter().zip(parts).all(|(word, part)| is_form_of(word, part)) {
                // What ends the name counts most: `email_subject` is a subject, `phone_number` a phone number. But whose something is
                // stands at the end in Spanish: `telefono_contacto` is a phone.
                let end = start + parts.len();
                let role = ROLES.contains(&found.1);
                let last = usize::from(end == words.len() && !role) * 2;
                let rank = (last + parts.len() * 2, if role { 0 } else { end });
                if best.is_none_or(|(r, _)| rank > r) {
                    best = Some((rank, *found));
                }
            }
        }
    }
    best.map(|(_, found)| found)
}

/// What a table is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    /// People.
    Person,
    /// Companies and other organisations.
    Company,
    /// What people write.
    Content,
    /// Things that the app offers: public, or the team's own.
    Catalog,
    /// Something else.
    Other,
}

const PEOPLE: &str =
    "user, customer, client, employee, contact, person, people, member, patient, student, teacher, staff, lead,
    subscriber, guest, driver, candidate, applicant, passenger, agent, doctor, profile, seller, buyer, player,
    admin, recipient, attendee, participant, volunteer, worker, author, owner, tenant, resident, usuario, cliente,
    empleado, contacto, persona, miembro, paciente, alumno, estudiante, profesor, medico, conductor, candidato,
    pasajero, agente, perfil, vendedor, comprador, jugador, socio, suscriptor, huesped, trabajador, inquilino,
    asistente, voluntario, autor, titular, familiar, tutor, actor, parent, borrower, beneficiary, signer, holder,
    emergency, spouse, child, sender, manager, guardian, creator, reporter, technician, nurse, boss, jefe,
    encargado, madre, padre, mother, father, remitente, destinatario";

const COMPANIES: &str =
    "company, supplier, vendor, organization, organisation, shipper, firm, employer, partner, empresa, proveedor,
    organizacion, transportista, sociedad, merchant, business";

const CONTENT: &str =
    "message, post, comment, note, ticket, review, chat, conversation, feedback, task, todo, mail, email, mensaje,
    comentario, nota, conversacion, tarea, resena, cita, appointment, meeting, reunion, question, answer, pregunta,
    respuesta, document, documento, file, fichero, archivo, attachment, blob, memory, journal, diary, diario,
    notification, notificacion, log, audit, version, response, submission";

const CATALOG: &str =
    "group, product, category, genre, film, movie, track, album, playlist, media, language, country, currency, plan, tag,
    region, territory, role, permission, feature, state, status, type, city, province, producto, categoria, genero,
    pelicula, cancion, idioma, pais, moneda, etiqueta, rol, permiso, provincia, ciudad, municipio, course, curso,
    subject, asignatura, department, departamento, brand, marca, model, modelo, template, plantilla, store,
    warehouse, almacen, unit, artist, book, libro, page, site, migration, sku, item, articulo, tax, impuesto,
    inventory, inventario, service, servicio, skill, menu, ingredient, recipe, receta, coupon, event type, flag,
    channel, demographic, airport";

/// What a table is about, by the last of its words that says so: `customer_notes` are notes.
pub(super) fn subject(words: &[String]) -> Subject {
    let among = |word: &str, list: &'static str| split(list).any(|w| is_form_of(word, w));
    for word in words.iter().rev() {
        for (list, subject) in [
            (PEOPLE, Subject::Person),
            (COMPANIES, Subject::Company),
            (CONTENT, Subject::Content),
            (CATALOG, Subject::Catalog),
        ] {
            if among(word, list) {
                return subject;
            }
        }
    }
    Subject::Other
}

/// Whether a table is of keys and tokens, so that its `key` is one.
pub(super) fn is_of_secrets(words: &[String]) -> bool {
    words
        .iter()
        .any(|w| ["token", "session", "secret", "apikey", "credential", "key", "otp"].iter().any(|s| is_form_of(w, s)))
}

/// Tables that frameworks keep for themselves. A copy whose records of migrations were masked would be migrated again.
pub(crate) fn is_machinery(table: &str) -> bool {
    const TABLES: &[&str] = &[
        "_prisma_migrations",
        "_sqlx_migrations",
        "schema_migrations",
        "ar_internal_metadata",
        "django_migrations",
        "django_content_type",
        "auth_permission",
        "django_site",
        "knex_migrations",
        "knex_migrations_lock",
        "alembic_version",
        "flyway_schema_history",
        "__diesel_schema_migrations",
        "goose_db_version",
        "sequelizemeta",
        "spatial_ref_sys",
        "refinery_schema_history",
        "__efmigrationshistory",
        "databasechangelog",
        "databasechangeloglock",
        "migrations",
        "__drizzle_migrations",
        "_sqlx_test_databases",
        "pgmigrations",
        "phinxlog",
        "doctrine_migration_versions",
    ];
    TABLES.contains(&table.to_lowercase().as_str())
}
