-- Run once by the database container, when its volume is new: the role that serves.
-- What it may do to which table is granted by `mediation migrate --app-role mediation`.
\set password `cat /run/secrets/app_password`
CREATE ROLE mediation LOGIN PASSWORD :'password';
