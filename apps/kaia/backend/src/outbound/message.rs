//! What Kaia tells people.

/// A mail or an SMS.
pub enum Message {
    VerifyAddress { to: String, name: String, token: String },
    AddressKnown { to: String, name: String },
    ResetPassword { to: String, name: String, token: String, english: bool },
    Reminder { to: String, title: String, at: String, english: bool },
}

/// In the words of a language.
pub enum Written {
    Mail { to: String, name: String, subject: String, text: String },
    Sms { to: String, text: String },
}

impl Message {
    /// What kind it is: all that a log may say of it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::VerifyAddress { .. } => "verify address",
            Self::AddressKnown { .. } => "address known",
            Self::ResetPassword { .. } => "reset password",
            Self::Reminder { .. } => "reminder",
        }
    }

    /// Secrets stand behind `#`: what follows it stays in the browser and reaches no server's log.
    pub fn write(self, frontend: &str) -> Written {
        match self {
            Self::VerifyAddress { to, name, token } => Written::Mail {
                to,
                subject: "Confirma tu correo · Confirm your address".into(),
                text: format!(
                    "Hola, {name}:\n\nAbre este enlace para terminar tu registro en Kaia (vale 48 horas):\n\
                     {frontend}/#verify={token}\n\nSi no te has registrado, no hagas nada.\n\n\
                     Open the link above to finish your registration. If you did not register, do nothing.\n"
                ),
                name,
            },
            Self::AddressKnown { to, name } => Written::Mail {
                to,
                subject: "Ya tienes una cuenta · You have an account".into(),
                text: format!(
                    "Hola, {name}:\n\nAlguien quiso registrarse en Kaia con este correo, que ya tiene una cuenta. \
                     Si has sido tú, entra en {frontend}; si has olvidado la contraseña, pide otra allí.\n\n\
                     Somebody asked for an account with this address, which has one. If it was you, log in.\n"
                ),
                name,
            },
            Self::ResetPassword { to, name, token, english: true } => Written::Mail {
                to,
                subject: "A new password".into(),
                text: format!(
                    "Hello {name},\n\nopen this link to choose a new password (it is good for an hour):\n\
                     {frontend}/#reset={token}\n\nIf you did not ask for it, do nothing.\n"
                ),
                name,
            },
            Self::ResetPassword { to, name, token, english: false } => Written::Mail {
                to,
                subject: "Una contraseña nueva".into(),
                text: format!(
                    "Hola, {name}:\n\nAbre este enlace para elegir otra contraseña (vale una hora):\n\
                     {frontend}/#reset={token}\n\nSi no la has pedido, no hagas nada.\n"
                ),
                name,
            },
            Self::Reminder { to, title, at, english } => {
                let title: String = title.chars().filter(|c| !c.is_control()).take(100).collect();
                let text =
                    if english { format!("Kaia: {title}, at {at}") } else { format!("Kaia: {title}, a las {at}") };
                Written::Sms { to, text }
            }
        }
    }
}
