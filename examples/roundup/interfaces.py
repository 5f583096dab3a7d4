# Goes into the tracker's folder. Roundup knows people by user name, Deskgate by e-mail address: the user who has the
# address, made on the first visit. A retired user stays retired: Roundup then takes the reader for "anonymous".

from roundup.cgi import client


class Client(client.Client):
    def determine_user(self, is_api=False):
        self.opendb("admin")
        self.env["REMOTE_USER"] = username(self.db, self.env["deskgate.claims"])
        return super().determine_user(is_api)


def username(db, claims):
    email = claims["email"]
    known = named(db, email)
    if known:
        return known
    try:
        db.user.create(
            username=email,
            address=email,
            realname=claims.get("name") or "",
            roles=db.config.NEW_WEB_USER_ROLES,
        )
        db.commit()
    except ValueError:  # two first requests at once: the other one has made it
        db.rollback()
    return named(db, email) or "anonymous"


def named(db, email):
    # The filter finds parts of an address too.
    found = db.user.filter(None, {"address": email}, retired=None)
    exact = [one for one in found if db.user.get(one, "address").lower() == email.lower()]
    exact.sort(key=lambda one: db.user.is_retired(one))
    return db.user.get(exact[0], "username") if exact else None
